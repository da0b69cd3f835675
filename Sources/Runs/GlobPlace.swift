/// Where somebody who walks through folders is in some patterns: what of them is still to be found below.
///
/// Each name is looked at once for each place in a pattern, however many ways there are to get there.
public struct GlobPlace: Sendable, Hashable {
    /// What a name is to the patterns.
    public struct Match: Sendable, Hashable {
        /// The patterns that it is one of, as a file; by their index.
        public var globs: [Int] = []
        /// Of these, the ones that it is by its own name, and not as one of all.
        public var named: [Int] = []
        /// Where one is in a folder of that name.
        public var below: GlobPlace
        /// Whether the name itself leads there, and not only a `**`.
        public var isNamedBelow = false

        /// Whether there is nothing that it is to any of them.
        public var isNothing: Bool { globs.isEmpty && below.isNowhere }
    }

    private struct Position: Hashable {
        let glob: Int
        /// How many of its parts have been found.
        let part: Int
    }

    private let globs: [Glob]
    private var positions: Set<Position> = []

    /// In `/box` itself.
    public init(_ globs: [Glob]) {
        self.globs = globs
        for glob in globs.indices { add(Position(glob: glob, part: 0)) }
    }

    /// Whether nothing can be found here.
    public var isNowhere: Bool { positions.isEmpty }

    private mutating func add(_ position: Position) {
        let parts = globs[position.glob].parts
        guard position.part < parts.count, positions.insert(position).inserted else { return }
        // It may stand for no folder at all; at the end it stands for something that is in one.
        if case .folders = parts[position.part] { add(Position(glob: position.glob, part: position.part + 1)) }
    }

    /// Looks at a name in the folder that this is.
    public func match(_ name: [Unicode.Scalar]) -> Match {
        var match = Match(below: self)
        match.below.positions = []
        for position in positions {
            let parts = globs[position.glob].parts
            let next = Position(glob: position.glob, part: position.part + 1)
            let isLast = next.part == parts.count
            switch parts[position.part] {
            case .folders:
                if isLast { match.globs.append(position.glob) }
                match.below.add(position)
            case .name(let pattern) where pattern.matches(name):
                if isLast {
                    match.globs.append(position.glob)
                    match.named.append(position.glob)
                } else {
                    match.isNamedBelow = true
                    match.below.add(next)
                }
            case .name: break
            }
        }
        return match
    }
}
