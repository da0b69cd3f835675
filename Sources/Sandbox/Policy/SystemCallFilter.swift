internal import CLinux
internal import CSeccomp
internal import Glibc
internal import Reactor
internal import System

/// ``SystemCallPolicy`` as a program of the kernel's packet filter machine (seccomp(2)).
///
/// A ``SystemCallIndex`` handles the calls whose number alone decides. libseccomp compiles the rules about arguments.
/// It has no rule for "allowed, except with these arguments", so it compiles two programs, which ``chain(_:_:)`` joins.
/// The first handles the arguments that are refused, the second those that are allowed. A third program handles the calls
/// that name a user or a group, and a fourth one the calls of the set-up.
enum SystemCallFilter {
    /// Compiles the program of the launcher, which all slots and commands inherit.
    ///
    /// - Parameters:
    ///   - key: the sixth argument with which calls of the set-up are allowed.
    ///   - allowsFilters: whether commands may install filters of their own.
    /// - Returns: `struct sock_filter` instructions.
    /// - Throws: the reason why the program could not be compiled.
    static func program(key: UInt64, allowsFilters: Bool = false) throws(SetupFailure) -> [UInt64] {
        let refusedWith = SystemCallPolicy.refusedWith(allowsFilters: allowsFilters)
        let exceptions = try program(defaultAction: .allow) { context throws(SetupFailure) in
            for rule in refusedWith { try add(rule.call, rule.action, rule.tests, to: context) }
        }
        let conditional = Set((refusedWith + SystemCallPolicy.allowedWith).map(\.call))
        let allowed = try program(defaultAction: SystemCallPolicy.defaultAction) { context throws(SetupFailure) in
            for call in SystemCallPolicy.allowed where conditional.contains(call) { try add(call, .allow, to: context) }
            for rule in SystemCallPolicy.allowedWith { try add(rule.call, rule.action, rule.tests, to: context) }
        }
        let owners = try program(defaultAction: .refuse(EPERM)) { context throws(SetupFailure) in
            for rule in SystemCallPolicy.ownIdentity { try add(rule.call, rule.action, rule.tests, to: context) }
        }
        let setUp = try program(defaultAction: .refuse(EPERM)) { context throws(SetupFailure) in
            for call in SystemCallPolicy.setUp {
                try add(call, .allow, [.isExactly(argument: 5, key)], to: context)
                guard !SystemCallPolicy.refused.contains(call) else { continue }
                try add(call, SystemCallPolicy.defaultAction, [.differs(argument: 5, key)], to: context)
            }
        }
        let identities = Set(SystemCallPolicy.ownIdentity.map(\.call))
        let byArguments = chain(exceptions, allowed)
        let index = Self.index { name in
            if conditional.contains(name) { return .undecided(after: 0) }
            if identities.contains(name) { return .undecided(after: byArguments.count) }
            return SystemCallPolicy.setUp.contains(name) ? .undecided(after: byArguments.count + owners.count) : nil
        }
        return index.program + byArguments + owners + setUp
    }

    /// Returns the number of a system call on this processor, or `nil` if it has no such call.
    static func number(of call: String) -> Int32? {
        let number = seccomp_syscall_resolve_name(call)
        if number >= 0 { return number }
        // A negative number means that only other processors have a call of this name.
        return number == sandglass_seccomp_no_such_call ? SystemCallPolicy.newerNumbers[call] : nil
    }

    /// Returns the index of the policy's actions by number.
    ///
    /// - Parameter exception: returns the leaf that replaces the policy's action for a call, or `nil` to keep that
    ///   action. It is also called with an empty name, which stands for all calls that are in no list.
    /// - Returns: an index of all numbers.
    private static func index(exception: (String) -> SystemCallIndex.Leaf?) -> SystemCallIndex {
        var leaves: [UInt32: SystemCallIndex.Leaf] = [:]
        func set(_ calls: some Sequence<String>, _ action: SystemCallAction) {
            for call in calls {
                if let number = number(of: call) { leaves[UInt32(number)] = exception(call) ?? .action(code(action)) }
            }
        }
        let conditional = (SystemCallPolicy.allowedWith + SystemCallPolicy.refusedWith).map(\.call)
        set(SystemCallPolicy.setUp.union(conditional), SystemCallPolicy.defaultAction)
        set(SystemCallPolicy.allowed, .allow)
        set(SystemCallPolicy.refused, .refuse(EPERM))
        set(SystemCallPolicy.pretended, .pretend)
        let defaultLeaf = exception("") ?? .action(code(SystemCallPolicy.defaultAction))
        return SystemCallIndex(architecture: seccomp_arch_native()) { leaves[$0] ?? defaultLeaf }
    }

    // MARK: libseccomp

    private static func program(
        defaultAction: SystemCallAction,
        _ addRules: (scmp_filter_ctx) throws(SetupFailure) -> Void
    ) throws(SetupFailure) -> [UInt64] {
        // Level 3 means that the kernel can kill a whole process, as all supported kernels can. Without it, libseccomp
        // would find the level with calls that a container may forbid.
        seccomp_api_set(3)
        guard let context = seccomp_init(code(defaultAction)) else { throw failure(-ENOMEM) }
        defer { seccomp_release(context) }
        // Calls of another ABI have other numbers, to which the lists do not apply.
        // They fail like unknown calls. Killing the process would write a line to the host's audit log for each.
        try check(seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, code(.refuse(ENOSYS))))
        // 2 selects a binary tree by number.
        try check(seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2))
        try addRules(context)
        return try export(context)
    }

    private static func add(
        _ call: String,
        _ action: SystemCallAction,
        _ tests: [ArgumentTest] = [],
        to context: scmp_filter_ctx
    ) throws(SetupFailure) {
        guard let number = number(of: call) else { return }
        let comparisons = tests.map(comparison)
        try check(
            seccomp_rule_add_exact_array(context, code(action), number, UInt32(comparisons.count), comparisons)
        )
    }

    /// Returns an action as a filter returns it to the kernel.
    private static func code(_ action: SystemCallAction) -> UInt32 {
        switch action {
        case .allow: sandglass_seccomp_allow
        case .refuse(let number): sandglass_seccomp_return_errno(UInt16(number))
        case .pretend: sandglass_seccomp_return_errno(0)
        }
    }

    private static func comparison(_ test: ArgumentTest) -> scmp_arg_cmp {
        switch test {
        case .equals(let argument, let value):
            scmp_arg_cmp(arg: argument, op: SCMP_CMP_MASKED_EQ, datum_a: UInt64(UInt32.max), datum_b: UInt64(value))
        case .bits(let argument, let mask, let value):
            scmp_arg_cmp(arg: argument, op: SCMP_CMP_MASKED_EQ, datum_a: UInt64(mask), datum_b: UInt64(value))
        case .isExactly(let argument, let value):
            scmp_arg_cmp(arg: argument, op: SCMP_CMP_EQ, datum_a: value, datum_b: 0)
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

    // MARK: Instructions

    /// `BPF_RET | BPF_K` with SECCOMP_RET_ALLOW, as a little-endian `struct sock_filter`.
    private static let allow: UInt64 = 0x7FFF_0000_0000_0006
    /// `BPF_JMP | BPF_JA` of distance 0.
    private static let jump: UInt64 = 0x0000_0000_0000_0005

    /// Joins two programs into one that allows a call if both do: where the first returns "allow", the second begins.
    private static func chain(_ first: [UInt64], _ second: [UInt64]) -> [UInt64] {
        first.enumerated().map { index, instruction in
            // A jump's distance counts from the next instruction.
            instruction == allow ? jump | UInt64(first.count - index - 1) << 32 : instruction
        } + second
    }
}

/// The part of the filter that tests only the number of a system call: a binary tree over ranges of numbers.
///
/// All numbers in a range have the same action. Every slot installs a filter. During the installation, the kernel runs
/// the filter once for each number to find the calls that need no filter (`seccomp_cache_prepare`). A tree of single
/// numbers makes a longer program, and the installation takes three times as long. The instructions are those of
/// `linux/filter.h`.
struct SystemCallIndex {
    /// A leaf of the tree.
    enum Leaf: Hashable {
        /// The action, as a filter returns it to the kernel.
        case action(UInt32)
        /// A later program decides, for example by the arguments. It begins this many instructions after the index.
        case undecided(after: Int)

        fileprivate var sortKey: UInt64 {
            switch self {
            case .action(let action): UInt64(action)
            case .undecided(let distance): UInt64(UInt32.max) + 1 + UInt64(distance)
            }
        }
    }

    /// The upper bound of the numbers that have a leaf; no kernel has a call with this or a larger number.
    private static let numberLimit: UInt32 = 1024

    // `BPF_LD | BPF_W | BPF_ABS` of the fields of struct seccomp_data.
    private static let loadNumber = instruction(0x20, 0)
    private static let loadArchitecture = instruction(0x20, 4)

    /// The instructions, to be followed by the programs that handle undecided calls.
    let program: [UInt64]

    /// Creates an index.
    ///
    /// - Parameters:
    ///   - architecture: the architecture of the numbers (`AUDIT_ARCH_…`).
    ///   - leaf: returns the leaf of a number.
    init(architecture: UInt32, _ leaf: (UInt32) -> Leaf) {
        var ranges: [(first: UInt32, leaf: Leaf)] = []
        for number in 0..<Self.numberLimit {
            let leaf = leaf(number)
            if ranges.last?.leaf != leaf { ranges.append((number, leaf)) }
        }
        // Larger numbers belong to another ABI (x32).
        if ranges.last?.leaf != .undecided(after: 0) { ranges.append((Self.numberLimit, .undecided(after: 0))) }
        // Each node is one instruction: a jump to one of two other nodes or leaves. The leaves follow all nodes.
        let leaves = Array(Set(ranges.map(\.leaf))).sorted { $0.sortKey < $1.sortKey }
        let leafOffsets = Dictionary(uniqueKeysWithValues: zip(leaves, ranges.count - 1..<Int.max))
        var nodes: [UInt64] = []
        func add(_ ranges: ArraySlice<(first: UInt32, leaf: Leaf)>) {
            let middle = ranges.startIndex + ranges.count / 2
            let (lower, upper) = (ranges[..<middle], ranges[middle...])
            let offset = nodes.count
            nodes.append(0)
            func distance(to part: ArraySlice<(first: UInt32, leaf: Leaf)>) -> UInt8 {
                var target = nodes.count
                if part.count == 1, let leaf = part.first?.leaf, let leafOffset = leafOffsets[leaf] {
                    target = leafOffset
                } else {
                    add(part)
                }
                // A distance counts from the next instruction. With some hundred ranges it fits 8 bits.
                return UInt8(target - offset - 1)
            }
            let (whenLess, otherwise) = (distance(to: lower), distance(to: upper))
            // `BPF_JMP | BPF_JGE | BPF_K`
            nodes[offset] = Self.instruction(0x35, ranges[middle].first, whenTrue: otherwise, whenFalse: whenLess)
        }
        if ranges.count > 1 { add(ranges[...]) }
        let returns = leaves.enumerated().map { index, leaf in
            // `BPF_RET | BPF_K`
            switch leaf {
            case .action(let action): Self.instruction(0x06, action)
            case .undecided(let distance): Self.jump(over: leaves.count - index - 1 + distance)
            }
        }
        let body = [Self.loadNumber] + nodes + returns
        program =
            [
                Self.loadArchitecture,
                // `BPF_JMP | BPF_JEQ | BPF_K`
                Self.instruction(0x15, architecture, whenTrue: 1),
                Self.jump(over: body.count),
            ] + body
    }

    // `BPF_JMP | BPF_JA`
    private static func jump(over count: Int) -> UInt64 { instruction(0x05, UInt32(count)) }

    /// Returns a little-endian `struct sock_filter`.
    private static func instruction(
        _ code: UInt64,
        _ operand: UInt32,
        whenTrue: UInt8 = 0,
        whenFalse: UInt8 = 0
    ) -> UInt64 {
        code | UInt64(whenTrue) << 16 | UInt64(whenFalse) << 24 | UInt64(operand) << 32
    }
}
