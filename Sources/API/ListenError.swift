/// Why a server cannot listen.
public struct ListenError: Error, CustomStringConvertible {
    /// One line.
    public let description: String
}
