internal import CCurl
internal import Glibc
internal import System

/// One request on a connection, and the received part of its response.
///
/// The owner drives the transfer step by step, and the transfer collects the bytes that arrive in a step.
final class CurlTransfer {
    /// The result of a finished transfer.
    enum Result {
        /// The response is complete, whatever its status.
        case completed
        /// No connection could be made.
        case unreachable
        /// The connection ended before the response did.
        case disconnected
        /// The server's certificate is not trusted.
        case untrusted
        /// The file had fewer bytes than announced, or could not be read.
        case fileChanged
        /// The transfer failed for another reason.
        case failed
    }

    /// The maximum size of a response head in bytes.
    ///
    /// No response of this service has a larger one.
    private static let maximumHeadBytes = 64 << 10

    private let connection: CurlConnection
    private var headers: UnsafeMutablePointer<curl_slist>?
    private var outgoing: OutgoingBody
    /// True if this transfer uses the connection's handle.
    private var hasHandle = true
    /// True if the handle was added to libcurl's multi handle.
    private var isAdded = false
    private var code = CURLE_OK
    private var headBytes: [UInt8] = []
    private var body: [UInt8] = []

    private(set) var isFinished = false
    /// The status code of the response; 0 until it arrives.
    private(set) var status = 0
    /// A counter that changes whenever bytes are sent or received.
    private(set) var traffic = 0
    /// The number of bytes of the request's body that have been sent.
    var sent: Int { outgoing.sent }
    /// The head of the response, without the heads of interim responses.
    var head: String { String(decoding: headBytes, as: UTF8.self) }
    /// libcurl's explanation of the result, for people.
    var reason: String { connection.reason(of: code) }

    /// Begins a request.
    ///
    /// The previous transfer on the connection must be finished or cancelled.
    ///
    /// - Parameters:
    ///   - connection: The connection.
    ///   - method: The method (RFC 9110 §9).
    ///   - url: The complete URL.
    ///   - lines: The header lines, as `Name: value`.
    ///   - body: The body.
    /// - Throws: `local` if libcurl rejects the request.
    init(
        on connection: CurlConnection,
        method: String,
        url: String,
        headers lines: [String],
        body: OutgoingRequest.Body
    ) throws(ClientError) {
        self.connection = connection
        outgoing = OutgoingBody(body)
        for line in lines {
            guard let longer = sandglass_curl_slist_append(headers, line) else {
                throw .local("There is no memory for a request.")
            }
            headers = longer
        }
        try connection.prepare()
        try connection.set(CURLOPT_URL, url)
        try connection.set(CURLOPT_CUSTOMREQUEST, method)
        try connection.check(sandglass_curl_set_list(connection.easy, CURLOPT_HTTPHEADER, headers))
        try setCallbacks()
        if method == "HEAD" { try connection.set(CURLOPT_NOBODY, 1) }
        if let count = body.count {
            try connection.set(CURLOPT_UPLOAD, 1)
            try connection.check(
                sandglass_curl_set_offset(connection.easy, CURLOPT_INFILESIZE_LARGE, curl_off_t(count))
            )
        }
        isAdded = sandglass_curl_multi_add_handle(connection.multi, connection.easy) == CURLM_OK
        if !isAdded { try connection.check(CURLE_FAILED_INIT) }
    }

    deinit { cancel() }

    /// Aborts the request and closes its connection.
    ///
    /// A finished transfer keeps the connection.
    func cancel() {
        guard hasHandle else { return }
        hasHandle = false
        if isAdded { sandglass_curl_multi_remove_handle(connection.multi, connection.easy) }
        // The handle must not keep pointers to this object and to the list.
        sandglass_curl_easy_reset(connection.easy)
        sandglass_curl_slist_free_all(headers)
    }

    /// Continues the transfer, and waits for the network or for another descriptor.
    ///
    /// - Parameters:
    ///   - other: A descriptor that may become readable.
    ///   - timeout: The longest wait. It is zero while a part of the response's body has not been taken.
    /// - Returns: Whether the other descriptor is readable.
    func step(alsoWaitingFor other: Int32, timeout: Duration) -> Bool {
        guard !isFinished else { return false }
        var running: Int32 = 0
        var failure = sandglass_curl_multi_perform(connection.multi, &running)
        sandglass_curl_get_long(connection.easy, CURLINFO_RESPONSE_CODE, &status)
        var remaining: Int32 = 0
        while let message = sandglass_curl_multi_info_read(connection.multi, &remaining) {
            guard message.pointee.msg == CURLMSG_DONE else { continue }
            finish(message.pointee.data.result)
            return false
        }
        var extra = curl_waitfd(fd: other, events: Int16(CURL_WAIT_POLLIN), revents: 0)
        if failure == CURLM_OK {
            let wait = body.isEmpty ? Int32(clamping: timeout.wholeNanoseconds / 1_000_000) : 0
            failure = sandglass_curl_multi_poll(connection.multi, &extra, 1, wait, nil)
        }
        if failure != CURLM_OK { finish(CURLE_FAILED_INIT) }
        return extra.revents != 0
    }

    private func finish(_ code: CURLcode) {
        self.code = code
        isFinished = true
        cancel()
    }

    /// Passes on the part of the response's body that arrived since the last call, if any.
    func takeBody(_ take: (UnsafeRawBufferPointer) throws(ClientError) -> Void) throws(ClientError) {
        guard !body.isEmpty else { return }
        defer { body.removeAll(keepingCapacity: true) }
        try body.withUnsafeBufferPointer { part throws(ClientError) in try take(UnsafeRawBufferPointer(part)) }
    }

    /// The result of the transfer once it is finished.
    var result: Result {
        if outgoing.fileChanged { return .fileChanged }
        return switch code {
        case CURLE_OK: .completed
        case CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT: .unreachable
        // The only timeout that libcurl has here is that for making a connection.
        case CURLE_OPERATION_TIMEDOUT: .unreachable
        case CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_GOT_NOTHING, CURLE_PARTIAL_FILE, CURLE_SSL_CONNECT_ERROR,
            CURLE_SEND_FAIL_REWIND:
            .disconnected
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR: .untrusted
        default: .failed
        }
    }

    // MARK: Callbacks

    /// Registers the callbacks of this object.
    ///
    /// SAFETY: libcurl calls back only inside its own functions. Only methods of this object call those functions, and
    /// the object exists until such a method returns. Before the object is destroyed, `cancel` removes it from the
    /// handle.
    private func setCallbacks() throws(ClientError) {
        let code = sandglass_curl_set_callbacks(
            connection.easy,
            { CurlTransfer.of($3).receiveHead(UnsafeRawBufferPointer(start: $0, count: $1 * $2)) },
            { CurlTransfer.of($3).receiveBody(UnsafeRawBufferPointer(start: $0, count: $1 * $2)) },
            { CurlTransfer.of($3).sendBody(UnsafeMutableRawBufferPointer(start: $0, count: $1 * $2)) },
            {
                $2 == SEEK_SET && CurlTransfer.of($0).outgoing.seek(to: Int($1)) ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL
            },
            // SAFETY: not retained, because libcurl keeps the pointer no longer than this object exists: see above.
            Unmanaged.passUnretained(self).toOpaque()
        )
        try connection.check(code)
    }

    private static func of(_ context: UnsafeMutableRawPointer?) -> CurlTransfer {
        guard let context else { preconditionFailure("libcurl called back without its context") }
        // SAFETY: `setCallbacks` passed the pointer, and the object exists during the libcurl call that calls back.
        return Unmanaged.fromOpaque(context).takeUnretainedValue()
    }

    private func receiveHead(_ line: UnsafeRawBufferPointer) -> Int {
        traffic += 1
        // A status line begins another response: the previous one was an interim response.
        if line.starts(with: "HTTP/".utf8) { headBytes.removeAll(keepingCapacity: true) }
        // A result smaller than the line's length makes libcurl abort the transfer.
        guard headBytes.count + line.count <= Self.maximumHeadBytes else { return 0 }
        headBytes.append(contentsOf: line)
        return line.count
    }

    private func receiveBody(_ part: UnsafeRawBufferPointer) -> Int {
        traffic += 1
        body.append(contentsOf: part)
        return part.count
    }

    private func sendBody(_ space: UnsafeMutableRawBufferPointer) -> Int {
        traffic += 1
        return outgoing.read(into: space) ?? Int(CURL_READFUNC_ABORT)
    }
}
