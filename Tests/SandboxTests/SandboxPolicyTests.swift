import Glibc
import Testing

@testable import Sandbox

@Suite struct SandboxPolicyTests {
    @Test(arguments: [(-1, 1), (0, 1), (1, 1), (8192, 8192), (8193, 8192), (.max, 8192)])
    func `the number of slots is what a launcher can keep`(asked: Int, given: Int) {
        #expect(SandboxPolicy.host(slots: asked, scratchBytes: 1 << 20).slots == given)
    }

    @Test func `root gives each slot a host user, and an ordinary user has but one`() {
        switch SandboxPolicy.host(slots: 8192, scratchBytes: 1 << 20).hostUsers {
        case .own: #expect(geteuid() != 0)
        case .eachItsOwn: #expect(geteuid() == 0)
        }
    }
}
