import Testing

@testable import Sandbox

@Suite struct SystemCallPolicyTests {
    private let lists = SystemCallPolicy.allowed + SystemCallPolicy.refused + SystemCallPolicy.pretended

    @Test func `no call is listed twice`() {
        let counts = Dictionary(lists.map { ($0, 1) }, uniquingKeysWith: +)
        #expect(counts.filter { $0.value > 1 }.isEmpty)
    }

    @Test func `every name is the name of a call`() {
        #if arch(x86_64)
        for call in lists { #expect(SystemCallFilter.number(of: call) != nil, "\(call)") }
        #endif
        #expect(SystemCallFilter.number(of: "no_such_call") == nil)
    }

    @Test func `a call that is refused with some arguments is allowed with others`() {
        let allowed = Set(SystemCallPolicy.allowed + SystemCallPolicy.allowedWith.map(\.call))
        for rule in SystemCallPolicy.refusedWith { #expect(allowed.contains(rule.call), "\(rule.call)") }
    }

    @Test func `a call that is allowed with some arguments is not allowed with all`() {
        let others = Set(lists)
        for rule in SystemCallPolicy.allowedWith { #expect(!others.contains(rule.call), "\(rule.call)") }
    }

    @Test(arguments: [
        "clone3", "io_uring_setup", "io_uring_enter", "userfaultfd", "keyctl", "add_key", "request_key", "memfd_secret",
        "fanotify_init", "name_to_handle_at", "modify_ldt", "mbind", "move_pages", "migrate_pages", "process_madvise",
        "vmsplice", "statmount", "lookup_dcookie",
    ])
    func `calls that expose much of the kernel fail as if they did not exist`(call: String) {
        #expect(!lists.contains(call))
        #expect(!SystemCallPolicy.allowedWith.contains { $0.call == call })
    }
}
