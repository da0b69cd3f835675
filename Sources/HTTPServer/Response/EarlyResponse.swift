internal import CLinux
internal import Glibc

/// The sender of responses where MHD cannot send one.
///
/// Each is the last response on its connection. Only the library can write into a TLS stream, so an encrypted server
/// sends none of these responses except error pages.
struct EarlyResponder {
    let configuration: HTTPServerConfiguration

    /// Writes a refusal to a connection whose request MHD cannot respond to.
    func respond(_ refusal: RequestRefusal, on connection: Connection) {
        guard !connection.isClosing else { return }
        connection.isClosing = true
        guard !configuration.isEncrypted else { return }
        connection.lingers = true
        let response = EarlyResponse(configuration.response(to: refusal))
        response.write(to: connection.socket)
        connection.earlyResponse = response.summary
    }

    /// Writes a refusal to an accepted socket that never becomes a connection.
    ///
    /// - Returns: True if the caller must let the socket linger, false if the socket is closed.
    func turnAway(_ socket: Int32, from address: SocketAddress, _ refusal: RequestRefusal) -> Bool {
        guard !configuration.isEncrypted else {
            close(socket)
            return false
        }
        let response = EarlyResponse(configuration.response(to: refusal))
        response.write(to: socket)
        report(response.summary, to: address.clientLiteral)
        return true
    }

    /// Responds to a request line without a space.
    ///
    /// MHD closes the connection, and sends a response to every error but this one.
    ///
    /// - Parameters:
    ///   - connection: A connection that MHD is about to close.
    ///   - round: The current round of the server.
    func respondToUnreadableLine(on connection: Connection, round: Int) {
        guard !configuration.isEncrypted, !connection.isClosing, !connection.lingers,
            connection.phase == .head || connection.phase == .idle,
            // A request that completed in this round ended the connection: the client or its response asked for that.
            connection.requestCount == 0 || connection.lastCompletionRound != round,
            hasUnreadLine(connection)
        else { return }
        respond(.malformed("The request line is malformed."), on: connection)
    }

    private func hasUnreadLine(_ connection: Connection) -> Bool {
        var byte: UInt8 = 0
        let count = recv(connection.socket, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT))
        // A client that has ended or reset the stream gives MHD another reason to close, unless it sent bytes before.
        if count > 0 || (count < 0 && errno == EAGAIN) { return true }
        guard count == 0, connection.requestCount == 0 else { return false }
        var progress = sandglass_tcp_progress()
        // The end of the stream has a sequence number and so counts as one byte.
        return sandglass_tcp_progress(connection.socket, &progress) == 0 && progress.received > 1
    }

    /// Replaces one of MHD's error pages with a response that is written here or, in a TLS stream, with
    /// `Connection.errorPage`.
    ///
    /// - Parameters:
    ///   - status: The status of MHD's page.
    ///   - headIsComplete: Whether MHD has read the whole head of the request.
    ///   - connection: The connection.
    /// - Returns: Whether MHD must queue a page.
    func replaceErrorPage(status: Int, headIsComplete: Bool, on connection: Connection) -> Bool {
        let refusal = RequestRefusal(errorPage: status, of: connection.request, configuration)
        guard configuration.isEncrypted else {
            respond(refusal, on: connection)
            // MHD finds the socket closed for writing, and closes the connection.
            return true
        }
        connection.lingers = true
        // For a malformed Content-Length, MHD would send the head of a response twice. No response is better.
        if headIsComplete, case .head = connection.request?.stage { return false }
        let page = configuration.prepare(configuration.response(to: refusal))
        connection.errorPage = page
        connection.earlyResponse = ResponseSummary(page)
        return true
    }

    /// Reports a response to bytes that never became a request, if a closing connection has one.
    func report(_ connection: Connection) {
        guard let response = connection.earlyResponse else { return }
        connection.earlyResponse = nil
        report(response, to: connection.clientAddress)
    }

    private func report(_ response: ResponseSummary, to address: String) {
        configuration.onCompletion?(CompletedRequest(unread: response, clientAddress: address))
    }
}

/// The bytes of a response that is written to a socket without MHD.
private struct EarlyResponse {
    private let bytes: [UInt8]
    let summary: ResponseSummary

    init(_ response: Response) {
        var body: [UInt8] = []
        if case .bytes(let bytes) = response.body { body = bytes }
        var head = "HTTP/1.1 \(response.status) \(MicroHTTPD.reasonPhrase(of: response.status))\r\n"
        head += "Date: \(Self.now())\r\n"
        for field in response.headers { head += "\(field.name): \(field.value)\r\n" }
        head += "Content-Length: \(body.count)\r\n\r\n"
        bytes = Array(head.utf8) + body
        summary = ResponseSummary(status: response.status, bodyBytes: body.count)
    }

    /// Writes as much as the socket takes without blocking.
    ///
    /// It takes everything, because no other bytes are queued on it.
    func write(to socket: Int32) {
        _ = bytes.withUnsafeBytes { send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT)) }
        shutdown(socket, Int32(SHUT_WR))
    }

    /// Returns the current time in the format of RFC 9110, 5.6.7.
    private static func now() -> String {
        var seconds = time(nil)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        var buffer = [CChar](repeating: 0, count: 64)
        // The names of days and months are those of the C locale: this program never calls setlocale(3).
        let count = strftime(&buffer, buffer.count, "%a, %d %b %Y %H:%M:%S GMT", &parts)
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
