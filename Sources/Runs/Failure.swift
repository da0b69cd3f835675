/// Why a command never started, or how this service failed: what was being done, and the kernel's answer.
public struct Failure: Error, Sendable, Hashable {
    /// What was being done, such as `exec`.
    public let step: String
    /// The name of the error number, such as `ENOENT` (errno(3)).
    public let errno: String
    /// For people: what it means, and what can be done.
    public let detail: String

    /// A failure of a step.
    public init(step: String, errno: String, detail: String) {
        self.step = step
        self.errno = errno
        self.detail = detail
    }
}

extension Failure: CustomStringConvertible {
    /// One line with all three.
    public var description: String { "\(detail) (\(step): \(errno))" }
}
