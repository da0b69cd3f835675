internal import CLinux
internal import CSeccomp
internal import Glibc
internal import Reactor

/// ``SystemCallPolicy`` as the kernel takes it: a program for its packet filter machine (seccomp(2)).
///
/// A ``SystemCallIndex`` answers where the number decides. libseccomp makes what decides by arguments. It cannot say
/// "allowed, except with these arguments", so it makes two programs that are put together: the first knows the arguments that
/// are refused, the second those that are allowed.
enum SystemCallFilter {
    /// For the launcher, and so for all slots: the instructions (`struct sock_filter`), or why there are none.
    ///
    /// Compiled once.
    static let program: Result<[UInt64], SetupFailure> = Result { () throws(SetupFailure) in
        let exceptions = try program(otherwise: .allow) { context throws(SetupFailure) in
            for rule in SystemCallPolicy.refusedWith { try add(rule.call, rule.answer, rule.tests, to: context) }
        }
        let conditional = Set((SystemCallPolicy.refusedWith + SystemCallPolicy.allowedWith).map(\.call))
        let allowed = try program(otherwise: SystemCallPolicy.otherwise) { context throws(SetupFailure) in
            for call in SystemCallPolicy.allowed where conditional.contains(call) { try add(call, .allow, to: context) }
            for rule in SystemCallPolicy.allowedWith { try add(rule.call, rule.answer, rule.tests, to: context) }
        }
        let index = Self.index { name in
            if conditional.contains(name) { return .unknown }
            return SystemCallPolicy.setUp.contains(name) ? .answer(action(.allow)) : nil
        }
        return index.program + chain(exceptions, allowed)
    }

    /// For a slot, which has the other one already: the end of ``SystemCallPolicy/setUp``.
    static let slotProgram =
        index { SystemCallPolicy.setUp.contains($0) ? nil : .answer(action(.allow)) }.program + [allow]

    /// A system call's number on this processor; `nil` where it does not exist.
    static func number(of call: String) -> Int32? {
        let number = seccomp_syscall_resolve_name(call)
        if number >= 0 { return number }
        // A negative number is a name that other processors have.
        return number == sandglass_seccomp_no_such_call ? SystemCallPolicy.youngerNumbers[call] : nil
    }

    /// The declared answers by number.
    ///
    /// - Parameter exception: what there is for a call instead of what is declared; it is asked for "" too, which stands for
    ///   all that no list has.
    /// - Returns: an index of all numbers.
    private static func index(exception: (String) -> SystemCallIndex.Leaf?) -> SystemCallIndex {
        var leaves: [UInt32: SystemCallIndex.Leaf] = [:]
        func set(_ calls: some Sequence<String>, _ answer: SystemCallAnswer) {
            for call in calls {
                if let number = number(of: call) { leaves[UInt32(number)] = exception(call) ?? .answer(action(answer)) }
            }
        }
        let conditional = (SystemCallPolicy.allowedWith + SystemCallPolicy.refusedWith).map(\.call)
        set(SystemCallPolicy.setUp.union(conditional), SystemCallPolicy.otherwise)
        set(SystemCallPolicy.allowed, .allow)
        set(SystemCallPolicy.refused, .refuse(EPERM))
        set(SystemCallPolicy.pretended, .pretend)
        let otherwise = exception("") ?? .answer(action(SystemCallPolicy.otherwise))
        return SystemCallIndex(architecture: seccomp_arch_native()) { leaves[$0] ?? otherwise }
    }

    // MARK: With libseccomp

    private static func program(
        otherwise: SystemCallAnswer,
        _ fill: (scmp_filter_ctx) throws(SetupFailure) -> Void
    ) throws(SetupFailure) -> [UInt64] {
        // 3: every kernel that this runs on can kill a whole process. The library would ask the kernel through calls
        // that a container may not have.
        seccomp_api_set(3)
        guard let context = seccomp_init(action(otherwise)) else { throw failure(-ENOMEM) }
        defer { seccomp_release(context) }
        // Calls of another ABI have numbers of their own, which no list here is about.
        try check(seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, sandglass_seccomp_kill_process))
        // A binary tree by number.
        try check(seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2))
        try fill(context)
        return try export(context)
    }

    private static func add(
        _ call: String,
        _ answer: SystemCallAnswer,
        _ tests: [ArgumentTest] = [],
        to context: scmp_filter_ctx
    ) throws(SetupFailure) {
        guard let number = number(of: call) else { return }
        let comparisons = tests.map(comparison)
        try check(
            seccomp_rule_add_exact_array(context, action(answer), number, UInt32(comparisons.count), comparisons)
        )
    }

    private static func action(_ answer: SystemCallAnswer) -> UInt32 {
        switch answer {
        case .allow: sandglass_seccomp_allow
        case .refuse(let number): sandglass_seccomp_answer(UInt16(number))
        case .pretend: sandglass_seccomp_answer(0)
        }
    }

    private static func comparison(_ test: ArgumentTest) -> scmp_arg_cmp {
        switch test {
        case .equals(let argument, let value):
            scmp_arg_cmp(arg: argument, op: SCMP_CMP_MASKED_EQ, datum_a: UInt64(UInt32.max), datum_b: UInt64(value))
        case .bits(let argument, let mask, let value):
            scmp_arg_cmp(arg: argument, op: SCMP_CMP_MASKED_EQ, datum_a: UInt64(mask), datum_b: UInt64(value))
        case .differs(let argument, let value):
            scmp_arg_cmp(arg: argument, op: SCMP_CMP_NE, datum_a: value, datum_b: 0)
        case .exceeds(let argument, let value):
            scmp_arg_cmp(arg: argument, op: SCMP_CMP_GT, datum_a: value, datum_b: 0)
        }
    }

    private static func export(_ context: scmp_filter_ctx) throws(SetupFailure) -> [UInt64] {
        let memory = sandglass_memfd("filter")
        guard memory >= 0 else { throw failure(-errno) }
        let file = Descriptor(owning: memory)
        try check(seccomp_export_bpf(context, file.raw))
        var program = [UInt64](repeating: 0, count: Int(lseek(file.raw, 0, SEEK_END)) / MemoryLayout<UInt64>.size)
        let count = program.withUnsafeMutableBytes { bytes in pread(file.raw, bytes.baseAddress, bytes.count, 0) }
        guard count > 0, count == program.count * MemoryLayout<UInt64>.size else { throw failure(-EIO) }
        return program
    }

    private static func check(_ result: Int32) throws(SetupFailure) {
        if result < 0 { throw failure(result) }
    }

    private static func failure(_ result: Int32) -> SetupFailure {
        SetupFailure(step: .systemCallFilter, number: -result)
    }

    // MARK: With the kernel's instructions

    /// `BPF_RET | BPF_K` with SECCOMP_RET_ALLOW, and `BPF_JMP | BPF_JA`, as little-endian `struct sock_filter`s.
    private static let allow: UInt64 = 0x7FFF_0000_0000_0006
    private static let jump: UInt64 = 0x0000_0000_0000_0005

    /// A program that allows what both do: where the first returns "allow", the second begins.
    private static func chain(_ first: [UInt64], _ second: [UInt64]) -> [UInt64] {
        first.enumerated().map { index, instruction in
            // A jump's distance counts from the next instruction.
            instruction == allow ? jump | UInt64(first.count - index - 1) << 32 : instruction
        } + second
    }
}
