import Runs
import Testing

@Suite struct RunSpecificationTests {
    @Test func `the environment is the standard one and nothing of this process's`() {
        let specification = RunSpecification(command: ["true"])
        #expect(specification.fullEnvironment == RunSpecification.standardEnvironment)
        #expect(Set(specification.fullEnvironment.keys) == ["PATH", "HOME", "TMPDIR", "LANG"])
    }

    @Test func `a run's own variables stand beside and over the standard ones`() {
        let specification = RunSpecification(command: ["true"], environment: ["A": "1", "HOME": "/elsewhere"])
        #expect(specification.fullEnvironment["A"] == "1")
        #expect(specification.fullEnvironment["HOME"] == "/elsewhere")
        #expect(specification.fullEnvironment["TMPDIR"] == "/tmp")
    }

    @Test func `the defaults are those of the contract`() {
        let specification = RunSpecification(command: ["true"])
        #expect(specification.workingDirectory == "/box")
        #expect(specification.limits.timeout == .seconds(10))
        #expect(specification.limits.outputBytes == 1_048_576)
        #expect(specification.limits.diskBytes == 268_435_456)
        #expect(specification.limits.openFiles == 256)
        #expect(specification.grace == .zero)
        #expect(specification.onOutputLimit == .truncate)
    }
}
