import Testing

@testable import Sandbox

@Suite struct RequirementTests {
    @Test func `isolation is all the others together`() {
        let all = Requirement.allCases.filter { $0 != .isolation }
        #expect(Requirement.isolation.features == all.reduce(into: []) { $0.formUnion($1.features) })
        let features: Set<HostFeature> = [.namespaces, .seccomp, .landlock, .memory, .processes, .cpu]
        #expect(Requirement.isolation.features.isSuperset(of: features))
    }

    @Test func `cgroups are its three limits`() {
        #expect(Requirement.cgroups.features == [.memory, .processes, .cpu])
        #expect(Requirement.memory.features == [.memory])
    }
}
