internal import Glibc

/// An answer that is written to a socket without MHD, as the last one on it.
struct EarlyAnswer {
    private let text: [UInt8]
    let given: GivenAnswer

    init(_ response: Response) {
        var body: [UInt8] = []
        if case .bytes(let bytes) = response.body { body = bytes }
        var head = "HTTP/1.1 \(response.status) \(MicroHTTPD.reason(of: response.status))\r\n"
        head += "Date: \(Self.now())\r\n"
        for field in response.headers { head += "\(field.name): \(field.value)\r\n" }
        head += "Content-Length: \(body.count)\r\n\r\n"
        text = Array(head.utf8) + body
        given = GivenAnswer(status: response.status, bodyBytes: body.count)
    }

    /// Writes what the socket takes without waiting, which is all, since nothing else is under way on it.
    func write(to socket: Int32) {
        _ = text.withUnsafeBytes { send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT)) }
        shutdown(socket, Int32(SHUT_WR))
    }

    /// The time as RFC 9110, 5.6.7 wants it.
    private static func now() -> String {
        var seconds = time(nil)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        var buffer = [CChar](repeating: 0, count: 64)
        // The names of days and months are the C locale's: this program never calls setlocale(3).
        let count = strftime(&buffer, buffer.count, "%a, %d %b %Y %H:%M:%S GMT", &parts)
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
