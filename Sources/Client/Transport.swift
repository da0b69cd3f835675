internal import CCurl
internal import Glibc
internal import Reactor

/// One connection to a server, and one request at a time.
///
/// It is the calling thread that drives it, and that thread hears of stop requests meanwhile.
final class Transport {
    /// How long making a connection may take.
    private static let connectSeconds: Int32 = 15
    /// How often the silence of the other side is looked at.
    private static let look: Duration = .milliseconds(500)

    /// A body that is sent without asking first.
    private static let smallBody = 1 << 20

    private let curl: OpaquePointer
    private let address: ServerAddress
    private let token: String?
    private let stops: StopRequests

    /// - Parameters:
    ///   - address: where the server is.
    ///   - token: what it knows the caller by.
    ///   - caFile: PEM certificates to trust instead of the system's.
    ///   - agent: what the server is told about this program (RFC 9110 §10.1.5).
    ///   - stops: what a wait hears of.
    /// - Throws: that there is no libcurl.
    init(
        _ address: ServerAddress,
        token: String?,
        caFile: String?,
        agent: String,
        stops: StopRequests
    ) throws(ClientError) {
        (self.address, self.token, self.stops) = (address, token, stops)
        if let reason = sandglass_curl_open() { throw .noLibrary(String(cString: reason)) }
        guard let curl = sandglass_curl_new(agent, caFile, Self.connectSeconds) else {
            throw .local("There is no memory for a connection.")
        }
        self.curl = curl
    }

    deinit { sandglass_curl_free(curl) }

    /// Sends a request and gives its answer, whatever its status.
    ///
    /// - Parameters:
    ///   - request: what to send.
    ///   - progress: told how many bytes of the request's body have been sent, again and again.
    ///   - receive: takes the parts of a successful answer's body as they come, if the request says so.
    /// - Returns: the answer, with its body if that was not to be taken part by part.
    /// - Throws: `unreachable`, `brokenOff` and `untrusted`, and what `receive` and a stop request throw.
    func send(
        _ request: Request,
        progress: (Int) throws(ClientError) -> Void = { _ in },
        receive: (UnsafeRawBufferPointer) throws(ClientError) -> Void = { _ in }
    ) throws(ClientError) -> Answer {
        // Whatever is thrown meanwhile.
        defer { sandglass_curl_cancel(curl) }
        guard begin(request) else { throw .local("libcurl does not take the request: \(reason).") }
        var body: [UInt8] = []
        var (traffic, lastTraffic) = (sandglass_curl_traffic(curl), MonotonicTime.now)
        var isOver = false
        while !isOver {
            var hasSignal = false
            isOver = sandglass_curl_step(curl, stops.raw, Int32(Self.look.wholeNanoseconds / 1_000_000), &hasSignal)
            try take(into: &body, request, receive)
            if hasSignal { try stops.deliver() }
            try progress(Int(sandglass_curl_sent(curl)))
            let (now, moved) = (MonotonicTime.now, sandglass_curl_traffic(curl))
            // Not libcurl's own limit (CURLOPT_LOW_SPEED_TIME): one byte in 15 seconds, as a run's events have when nothing
            // happens, is no bytes a second to it.
            if moved != traffic {
                (traffic, lastTraffic) = (moved, now)
            } else if !isOver, now.since(lastTraffic) > request.silence {
                throw .brokenOff("Nothing came from \(address) for \(request.silence)")
            }
        }
        try check(request)
        var count = 0
        let head = sandglass_curl_head(curl, &count)
        let text = String(decoding: UnsafeRawBufferPointer(start: head, count: count), as: UTF8.self)
        var answer = Answer(status: Int(sandglass_curl_status(curl)), head: text)
        answer.body = body
        return answer
    }

    private func take(
        into body: inout [UInt8],
        _ request: Request,
        _ receive: (UnsafeRawBufferPointer) throws(ClientError) -> Void
    ) throws(ClientError) {
        var count = 0
        guard let bytes = sandglass_curl_body(curl, &count), count > 0 else { return }
        defer { sandglass_curl_drop_body(curl) }
        let part = UnsafeRawBufferPointer(start: bytes, count: count)
        if request.isStreamed, (200..<300).contains(sandglass_curl_status(curl)) { return try receive(part) }
        guard body.count + count <= request.mostBytes else {
            throw .misunderstood("An answer of \(address) has more than \(request.mostBytes) bytes.")
        }
        body.append(contentsOf: part)
    }

    private func check(_ request: Request) throws(ClientError) {
        switch sandglass_curl_end(curl) {
        case SANDGLASS_CURL_ANSWERED: return
        case SANDGLASS_CURL_UNREACHABLE: throw .unreachable("\(address) cannot be reached: \(reason)")
        case SANDGLASS_CURL_BROKEN_OFF: throw .brokenOff("The connection to \(address) broke off: \(reason)")
        case SANDGLASS_CURL_UNTRUSTED: throw .untrusted("\(address) is not trusted: \(reason)")
        case SANDGLASS_CURL_FILE_CHANGED: throw .local("A file became shorter while it was read.")
        default: throw .misunderstood("\(address) was not understood: \(reason)")
        }
    }

    private var reason: String { String(cString: sandglass_curl_reason(curl)) }

    private func begin(_ request: Request) -> Bool {
        var headers = request.headers
        // It goes to this server alone, for redirects are not followed.
        if let token { headers.append("Authorization: Bearer \(token)") }
        var (file, count): (Int32, Int) = (-1, -1)
        var bytes: [UInt8]?
        switch request.body {
        case .none: break
        case .bytes(let body): (bytes, count) = (body, body.count)
        case .file(let descriptor, let length): (file, count) = (descriptor, length)
        }
        // Older versions of libcurl ask before every body whether they may send it, and wait a second for those who do not answer
        // that (RFC 9110 §10.1.1). It is worth it for what is large.
        if count >= 0, count <= Self.smallBody { headers.append("Expect:") }
        let lines = headers.map { strdup($0) }
        defer { for line in lines { free(line) } }
        let pointers = lines.map { UnsafePointer($0) }
        return request.method.withCString { method in
            (address.description + request.target).withCString { url in
                pointers.withUnsafeBufferPointer { headers in
                    // An empty array has no address, and no bytes are bytes here.
                    (bytes.map { $0 + [0] } ?? []).withUnsafeBytes { body in
                        var call = sandglass_curl_request(
                            method: method,
                            url: url,
                            headers: headers.baseAddress,
                            header_count: headers.count,
                            bytes: bytes == nil ? nil : body.baseAddress,
                            file: file,
                            byte_count: Int64(count)
                        )
                        return sandglass_curl_begin(curl, &call)
                    }
                }
            }
        }
    }
}
