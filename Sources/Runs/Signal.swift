/// A signal that ended a command.
public struct Signal: Sendable, Hashable {
    /// Its number on this machine (signal(7)).
    public let number: Int32
    /// Its name, such as `SIGSEGV`.
    public let name: String
    /// Whether the kernel wrote a core file.
    public let coreDumped: Bool

    /// A signal by number and name.
    public init(number: Int32, name: String, coreDumped: Bool = false) {
        self.number = number
        self.name = name
        self.coreDumped = coreDumped
    }

    /// SIGKILL.
    public static let kill = Signal(number: 9, name: "SIGKILL")
}
