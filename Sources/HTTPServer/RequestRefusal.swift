/// Why a request never reaches the handler.
public struct RequestRefusal: Error, Equatable, Sendable, CustomStringConvertible {
    /// The status it is answered with: 400, 408, 413, 414, 417, 431 or 500.
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

    /// What MHD would say with a page of its own, in our words.
    ///
    /// - Parameters:
    ///   - status: The page's status.
    ///   - intake: How far the request has come; nil if not even its line could be read.
    ///   - configuration: The limits, of which MHD knows those that it has memory for.
    init(page status: Int, of intake: Intake?, _ configuration: HTTPServerConfiguration) {
        switch (status, intake?.stage) {
        case (413, .line): self.init(413, "The body is over \(configuration.maximumBodyBytes) bytes.")
        case (413, _): self.init(413, "A chunk of the body is too large.")
        case (414, _): self.init(414, "The target is over \(configuration.maximumTargetBytes) bytes.")
        case (431, .line):
            self.init(431, "The request's line and headers are over \(configuration.maximumHeaderBytes) bytes.")
        case (431, _): self.init(431, "The trailer fields are over \(configuration.maximumHeaderBytes) bytes.")
        case (500..., .some): self.init(500, "The request could not be read.")
        case (_, nil): self.init(400, "The request line is malformed, or its version is neither HTTP/1.1 nor HTTP/1.0.")
        case (_, .line): self.init(400, "The request's head is malformed.")
        case (_, .some): self.init(400, "The request's chunked body is malformed.")
        }
    }
}
