import Glibc
import Testing

@testable import Sandbox

@Suite struct SandboxPolicyTests {
    @Test(arguments: [(-1, 1), (0, 1), (1, 1), (8192, 8192), (8193, 8192), (.max, 8192)])
    func `the number of slots is clamped to what a launcher supports`(requested: Int, slots: Int) {
        #expect(SandboxPolicy.host(slots: requested, scratchBytes: 1 << 20).slots == slots)
    }

    @Test func `each slot has a host user as root, and the service's user otherwise`() {
        switch SandboxPolicy.host(slots: 8192, scratchBytes: 1 << 20).hostUsers {
        case .serviceUser: #expect(geteuid() != 0)
        case .perSlot: #expect(geteuid() == 0)
        }
    }
}
