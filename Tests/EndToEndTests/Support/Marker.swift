import Glibc
import Synchronization

/// Texts that no other process on this machine has in its arguments.
enum Marker {
    private static let counter = Atomic<Int>(0)

    /// A number of seconds, some minutes, that only one test sleeps for.
    static func nap() -> String { "600.\(1_000_000 + Int(getpid()))\(100 + next())" }

    /// A word.
    static func word() -> String { "e2e-\(getpid())-\(next())-mark" }

    private static func next() -> Int { counter.add(1, ordering: .relaxed).newValue }
}
