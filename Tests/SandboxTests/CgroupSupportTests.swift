import Runs
import Testing

@testable import Sandbox

@Suite struct CgroupSupportTests {
    @Test(arguments: [(CgroupVersion.one, Enforcement.Means.cgroup1), (.two, .cgroup2)])
    func `what groups do stands in the receipt, and what they do not is left to what there is without`(
        version: CgroupVersion,
        means: Enforcement.Means
    ) {
        let some = CgroupSupport(version: version, controllers: [.memory, .cpu], gap: nil).enforcement
        #expect(some.memory == means)
        #expect(some.cpu == means)
        #expect(some.processes == .rlimit)
        let none = CgroupSupport(version: nil, controllers: [], gap: nil).enforcement
        #expect(none == .current)
    }
}
