/// A file that a run is given, below `/box`.
public struct RunFile: Sendable, Hashable {
    /// The most bytes of a path: below `/box/`, and with its end, it is one of the kernel's (PATH_MAX).
    public static let longestPath = 4096 - 6
    /// The most bytes of a name between slashes (NAME_MAX).
    public static let longestName = 255

    /// Its path below `/box`, such as `src/main.c`.
    public let path: String
    /// What is in it.
    public let content: Content
    /// Whether it may be executed.
    public let isExecutable: Bool

    /// A file.
    public init(path: String, content: Content, isExecutable: Bool = false) {
        self.path = path
        self.content = content
        self.isExecutable = isExecutable
    }
}
