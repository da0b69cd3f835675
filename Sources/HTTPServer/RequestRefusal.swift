/// Why a request never reaches the handler.
public struct RequestRefusal: Error, Equatable, Sendable, CustomStringConvertible {
    /// The status it is answered with: 400, 413, 414 or 431.
    public let status: Int
    /// A sentence for the client.
    public let detail: String

    init(_ status: Int, _ detail: String) {
        self.status = status
        self.detail = detail
    }

    static func malformed(_ detail: String) -> RequestRefusal { RequestRefusal(400, detail) }

    /// The status and the sentence.
    public var description: String { "\(status): \(detail)" }
}
