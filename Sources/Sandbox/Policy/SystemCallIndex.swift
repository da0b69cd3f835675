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
