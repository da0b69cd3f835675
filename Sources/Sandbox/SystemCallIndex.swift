/// The part of the filter that looks at a system call's number alone: ranges of numbers with the same answer, as a binary
/// tree.
///
/// The kernel runs a filter once for each number when it is installed, to know which calls need no filter at all
/// (`seccomp_cache_prepare`), and every slot installs one: with a tree of single numbers that, and the longer program,
/// take three times as long. The instructions are the kernel's (`linux/filter.h`).
struct SystemCallIndex {
    /// What a leaf of the tree is.
    enum Leaf: Hashable {
        /// The answer, as the kernel takes it from a filter.
        case answer(UInt32)
        /// The arguments decide, or something else that only the program behind this one knows.
        case unknown

        fileprivate var order: UInt64 {
            if case .answer(let answer) = self { return UInt64(answer) }
            return UInt64.max
        }
    }

    /// The numbers that have an answer here; there are none above in any kernel.
    private static let numbers: UInt32 = 1024

    // `BPF_LD | BPF_W | BPF_ABS` of the fields of struct seccomp_data.
    private static let loadNumber = instruction(0x20, 0)
    private static let loadArchitecture = instruction(0x20, 4)

    /// The instructions, to stand in front of the program that knows the rest.
    let program: [UInt64]

    /// - Parameters:
    ///   - architecture: the one whose numbers these are (`AUDIT_ARCH_…`).
    ///   - leaf: what there is for a number.
    init(architecture: UInt32, _ leaf: (UInt32) -> Leaf) {
        var ranges: [(first: UInt32, leaf: Leaf)] = []
        for number in 0..<Self.numbers {
            let leaf = leaf(number)
            if ranges.last?.leaf != leaf { ranges.append((number, leaf)) }
        }
        // Also those that are another ABI's (x32).
        if ranges.last?.leaf != .unknown { ranges.append((Self.numbers, .unknown)) }
        // Each node is one instruction: a jump to one of two nodes, or to one of the leaves, which stand behind all nodes.
        let leaves = Array(Set(ranges.map(\.leaf))).sorted { $0.order < $1.order }
        let places = Dictionary(uniqueKeysWithValues: zip(leaves, ranges.count - 1..<Int.max))
        var nodes: [UInt64] = []
        func add(_ ranges: ArraySlice<(first: UInt32, leaf: Leaf)>) {
            let middle = ranges.startIndex + ranges.count / 2
            let (lower, upper) = (ranges[..<middle], ranges[middle...])
            let place = nodes.count
            nodes.append(0)
            func reach(_ part: ArraySlice<(first: UInt32, leaf: Leaf)>) -> UInt8 {
                var target = nodes.count
                if part.count == 1, let leaf = part.first?.leaf, let place = places[leaf] {
                    target = place
                } else {
                    add(part)
                }
                // A distance is of 8 bits and counts from the next instruction: there are some hundred ranges.
                return UInt8(target - place - 1)
            }
            let (whenLess, otherwise) = (reach(lower), reach(upper))
            // `BPF_JMP | BPF_JGE | BPF_K`
            nodes[place] = Self.instruction(0x35, ranges[middle].first, whenTrue: otherwise, whenFalse: whenLess)
        }
        if ranges.count > 1 { add(ranges[...]) }
        let returns = leaves.enumerated().map { index, leaf in
            // `BPF_RET | BPF_K`
            if case .answer(let answer) = leaf { return Self.instruction(0x06, answer) }
            return Self.jump(over: leaves.count - index - 1)
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

    /// A `struct sock_filter`, little-endian.
    private static func instruction(
        _ code: UInt64,
        _ operand: UInt32,
        whenTrue: UInt8 = 0,
        whenFalse: UInt8 = 0
    ) -> UInt64 {
        code | UInt64(whenTrue) << 16 | UInt64(whenFalse) << 24 | UInt64(operand) << 32
    }
}
