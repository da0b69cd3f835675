internal import HTTPServer

/// A JSON document that never changes: made once, and sent without a copy.
struct PreparedDocument {
    private let tag: EntityTag
    private let response: Response
    private let whole: PreparedResponse?

    /// - Parameter json: UTF-8.
    init(_ json: [UInt8]) {
        tag = EntityTag(of: json)
        let headers = [HeaderField("Content-Type", "application/json"), HeaderField("ETag", tag.text)]
        response = Response(status: 200, headers: headers, body: .bytes(json))
        whole = PreparedResponse(response)
    }

    /// Sends it, or says that the client has it (RFC 9110, section 13.1.2).
    func answer(_ exchange: Exchange) {
        if tag.isKnown(to: exchange.request) {
            exchange.respond(Response(status: 304, headers: [HeaderField("ETag", tag.text)]))
        } else if let whole, exchange.headers.isEmpty {
            exchange.respond(whole)
        } else {
            exchange.respond(response)
        }
    }
}
