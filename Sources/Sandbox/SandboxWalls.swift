/// Walls of a sandbox that a kernel may lack.
public struct SandboxWalls: OptionSet, Sendable, Hashable {
    /// Their numbers in the launcher's protocol, added up.
    public let rawValue: UInt32

    /// Walls by their numbers, added up.
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// The filter of system calls (seccomp(2)).
    public static let systemCallFilter = SandboxWalls(rawValue: 1)
    /// The second wall around the file system, around signals and around abstract unix sockets (landlock(7)).
    public static let landlock = SandboxWalls(rawValue: 2)
}
