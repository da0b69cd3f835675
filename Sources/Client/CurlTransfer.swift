internal import CCurl
internal import Glibc
internal import Reactor

/// One request on a connection, and what has come of its answer.
///
/// It is driven by its owner, step by step; what comes in a step is collected here.
final class CurlTransfer {
    /// How it ended.
    enum Ending {
        /// With an answer, whatever its status.
        case answered
        /// No connection could be made.
        case unreachable
        /// The connection ended before the answer did.
        case brokenOff
        /// The other side is not who it should be.
        case untrusted
        /// The file had fewer bytes than were announced, or could not be read.
        case fileChanged
        /// Anything else.
        case failed
    }

    /// An answer with more header bytes than this is not this service's.
    private static let mostHeadBytes = 64 << 10

    private let connection: CurlConnection
    private var headers: UnsafeMutablePointer<curl_slist>?
    private var outgoing: OutgoingBody
    /// Whether the connection's handle is this request's, and whether libcurl has it to work on.
    private var (hasHandle, isAdded) = (true, false)
    private var code = CURLE_OK
    private var headBytes: [UInt8] = []
    private var body: [UInt8] = []

    private(set) var isOver = false
    /// The status of the answer; 0 until there is one.
    private(set) var status = 0
    /// A number that changes whenever something is sent or comes.
    private(set) var traffic = 0
    /// How many bytes of the request's body have been sent.
    var sent: Int { outgoing.sent }
    /// The header lines of the answer, without those of interim answers.
    var head: String { String(decoding: headBytes, as: UTF8.self) }
    /// What libcurl says about its end, for people.
    var reason: String { connection.reason(of: code) }

    /// Begins a request; the one before on the same connection has to be over or cancelled.
    ///
    /// - Parameters:
    ///   - connection: where.
    ///   - method: RFC 9110 §9.
    ///   - url: the whole of it.
    ///   - lines: the header lines, as `Name: value`.
    ///   - body: what comes with it.
    /// - Throws: what libcurl has against it.
    init(
        on connection: CurlConnection,
        method: String,
        url: String,
        headers lines: [String],
        body: Request.Body
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

    /// Gives the request up and with it its connection; if it is over, the connection is kept.
    func cancel() {
        guard hasHandle else { return }
        hasHandle = false
        if isAdded { sandglass_curl_multi_remove_handle(connection.multi, connection.easy) }
        // The handle forgets this object and the list before they go.
        sandglass_curl_easy_reset(connection.easy)
        sandglass_curl_slist_free_all(headers)
    }

    /// Goes on, and waits for the network or for something to read from another descriptor.
    ///
    /// - Parameters:
    ///   - other: that descriptor.
    ///   - time: the longest wait. There is none while something of the answer's body has not been taken.
    /// - Returns: whether the other descriptor can be read.
    func step(hearing other: Int32, atMost time: Duration) -> Bool {
        guard !isOver else { return false }
        var running: Int32 = 0
        var failure = sandglass_curl_multi_perform(connection.multi, &running)
        sandglass_curl_get_long(connection.easy, CURLINFO_RESPONSE_CODE, &status)
        var left: Int32 = 0
        while let message = sandglass_curl_multi_info_read(connection.multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE else { continue }
            finish(message.pointee.data.result)
            return false
        }
        var extra = curl_waitfd(fd: other, events: Int16(CURL_WAIT_POLLIN), revents: 0)
        if failure == CURLM_OK {
            let wait = body.isEmpty ? Int32(clamping: time.wholeNanoseconds / 1_000_000) : 0
            failure = sandglass_curl_multi_poll(connection.multi, &extra, 1, wait, nil)
        }
        if failure != CURLM_OK { finish(CURLE_FAILED_INIT) }
        return extra.revents != 0
    }

    private func finish(_ code: CURLcode) {
        self.code = code
        isOver = true
        cancel()
    }

    /// Hands over what has come of the answer's body since the last time, if there is anything.
    func takeBody(_ take: (UnsafeRawBufferPointer) throws(ClientError) -> Void) throws(ClientError) {
        guard !body.isEmpty else { return }
        defer { body.removeAll(keepingCapacity: true) }
        try body.withUnsafeBufferPointer { part throws(ClientError) in try take(UnsafeRawBufferPointer(part)) }
    }

    /// How it ended, once it is over.
    var ending: Ending {
        if outgoing.fileChanged { return .fileChanged }
        return switch code {
        case CURLE_OK: .answered
        case CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT: .unreachable
        // The only time limit that libcurl keeps here is that of making a connection.
        case CURLE_OPERATION_TIMEDOUT: .unreachable
        case CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_GOT_NOTHING, CURLE_PARTIAL_FILE, CURLE_SSL_CONNECT_ERROR,
            CURLE_SEND_FAIL_REWIND:
            .brokenOff
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR: .untrusted
        default: .failed
        }
    }

    // MARK: What libcurl calls

    /// SAFETY: libcurl calls back inside its own calls alone, all of which are made by a method of this object, which is there
    /// until the method returns; and before it goes, `cancel` makes libcurl forget it.
    private func setCallbacks() throws(ClientError) {
        let code = sandglass_curl_set_callbacks(
            connection.easy,
            { CurlTransfer.of($3).headCame(UnsafeRawBufferPointer(start: $0, count: $1 * $2)) },
            { CurlTransfer.of($3).bodyCame(UnsafeRawBufferPointer(start: $0, count: $1 * $2)) },
            { CurlTransfer.of($3).bodyWanted(UnsafeMutableRawBufferPointer(start: $0, count: $1 * $2)) },
            {
                $2 == SEEK_SET && CurlTransfer.of($0).outgoing.seek(to: Int($1)) ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL
            },
            // SAFETY: not retained, because libcurl has it no longer than this object lives: see above.
            Unmanaged.passUnretained(self).toOpaque()
        )
        try connection.check(code)
    }

    private static func of(_ context: UnsafeMutableRawPointer?) -> CurlTransfer {
        guard let context else { preconditionFailure("libcurl calls without what it was given") }
        // SAFETY: `setCallbacks` gave it, and the object is there during the call that this is called in.
        return Unmanaged.fromOpaque(context).takeUnretainedValue()
    }

    private func headCame(_ line: UnsafeRawBufferPointer) -> Int {
        traffic += 1
        // A status line begins another answer: the one before was an interim one.
        if line.starts(with: "HTTP/".utf8) { headBytes.removeAll(keepingCapacity: true) }
        // Fewer than there are: libcurl gives up.
        guard headBytes.count + line.count <= Self.mostHeadBytes else { return 0 }
        headBytes.append(contentsOf: line)
        return line.count
    }

    private func bodyCame(_ part: UnsafeRawBufferPointer) -> Int {
        traffic += 1
        body.append(contentsOf: part)
        return part.count
    }

    private func bodyWanted(_ space: UnsafeMutableRawBufferPointer) -> Int {
        traffic += 1
        return outgoing.read(into: space) ?? Int(CURL_READFUNC_ABORT)
    }
}
