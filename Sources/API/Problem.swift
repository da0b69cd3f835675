internal import HTTPServer
internal import JSON

/// What an error answers: RFC 9457, `application/problem+json`.
struct Problem: Error {
    /// The HTTP status code.
    let status: Int
    /// For people: what is wrong with this request, and what to do about it.
    let detail: String
    /// All faults of a body, each with its place.
    var faults: [JSONFault] = []
    /// Header fields beside the content type.
    var headers: [HeaderField] = []

    /// How many faults an answer lists: a hostile body may have a fault in every byte.
    private static let listedFaults = 100

    var response: Response {
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
        return Response(
            status: status,
            headers: [HeaderField("Content-Type", "application/problem+json")] + headers,
            body: .bytes(writer.bytes + [UInt8(ascii: "\n")])
        )
    }

    /// That there are more faults than are listed.
    private var unlisted: String {
        faults.count > Self.listedFaults
            ? " The first \(Self.listedFaults) of its \(faults.count) faults are listed." : ""
    }

    /// The reason phrase, as the title of a problem without a type of its own has to be (RFC 9457, 4.2.1).
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
        case 417: "Expectation Failed"
        case 415: "Unsupported Media Type"
        case 416: "Range Not Satisfiable"
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
