package import JSON
internal import System

/// The body of an error response: RFC 9457, `application/problem+json`.
///
/// ``ReceivedProblem`` reads the same document.
package struct ProblemDocument: Error, Sendable {
    /// The HTTP status code.
    package let status: Int
    /// A sentence for people that names the fault of this request and what to do about it.
    package let detail: String
    /// All faults of the request's body, each with a pointer to its position.
    package var faults: [JSONFault]

    /// The maximum number of faults that a document lists, because a hostile body may have one in every byte.
    private static let listedFaults = 100

    package init(status: Int, detail: String, faults: [JSONFault] = []) {
        (self.status, self.detail, self.faults) = (status, detail, faults)
    }

    /// Renders the document as JSON text with a final line end.
    package func render() -> [UInt8] {
        var writer = JSONWriter()
        writer.object { problem in
            problem.member("type", "about:blank")
            problem.member("title", Self.title(of: status))
            problem.member("status", status)
            problem.member("detail", detail + unlisted)
            guard !faults.isEmpty else { return }
            problem.member("errors") { errors in
                errors.array { errors in
                    for fault in faults.prefix(Self.listedFaults) {
                        errors.object { error in
                            error.member("pointer", fault.pointer.description)
                            error.member("detail", fault.detail)
                        }
                    }
                }
            }
        }
        return writer.bytes + [UInt8(ascii: "\n")]
    }

    /// A sentence that counts the faults when the document lists only some of them.
    private var unlisted: String {
        faults.count > Self.listedFaults
            ? " The first \(Self.listedFaults) of its \(faults.count, counting: "fault") are listed." : ""
    }

    /// Returns the reason phrase, which is the title of a problem without a type of its own (RFC 9457, 4.2.1).
    private static func title(of status: Int) -> String {
        switch status {
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 415: "Unsupported Media Type"
        case 416: "Range Not Satisfiable"
        case 417: "Expectation Failed"
        case 421: "Misdirected Request"
        case 422: "Unprocessable Content"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 503: "Service Unavailable"
        case 507: "Insufficient Storage"
        default: "Error"
        }
    }
}

/// A problem as a client receives it: the reading side of ``ProblemDocument``.
package struct ReceivedProblem: Sendable {
    /// The reason phrase of the status; `nil` if the document has none.
    package let title: String?
    /// The sentence for people; `nil` if the document has none.
    package let detail: String?
    /// The faults of the request's body, each with a JSON Pointer (RFC 6901).
    package let faults: [(pointer: String, detail: String)]

    /// Parses a body of type `application/problem+json`; returns `nil` if it is not a JSON object.
    package init?(_ body: [UInt8]) {
        guard let object = (try? JSONParser.parse(body))?.object else { return nil }
        title = object["title"]?.string
        detail = object["detail"]?.string
        faults = (object["errors"]?.array ?? []).compactMap { fault in
            guard let fault = fault.object, let detail = fault["detail"]?.string else { return nil }
            return (fault["pointer"]?.string ?? "", detail)
        }
    }
}

extension ProblemDocument {
    /// The faults, each as one text with its position.
    package var faultTexts: [String] { faults.map { "\($0.pointer): \($0.detail)" } }
}
