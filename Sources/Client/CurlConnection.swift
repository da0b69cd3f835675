internal import CCurl

/// A connection by way of libcurl, kept alive from one request to the next, and the one request that it may have at a time.
final class CurlConnection {
    /// How long making a connection may take.
    private static let connectSeconds = 15

    /// Keeps the connection, and can wait for another descriptor, too (libcurl-multi(3)).
    let multi: UnsafeMutableRawPointer
    /// The request (libcurl-easy(3)).
    let easy: UnsafeMutableRawPointer
    private let agent: String
    private let caFile: String?
    /// What libcurl says about a failure, in a place that stays while the handle knows of it (CURLOPT_ERRORBUFFER(3)).
    private let failure: UnsafeMutablePointer<CChar>

    /// - Parameters:
    ///   - agent: what the server is told about this program (RFC 9110 §10.1.5).
    ///   - caFile: PEM certificates to trust instead of the system's.
    /// - Throws: that there is no libcurl.
    init(agent: String, caFile: String?) throws(ClientError) {
        if let reason = sandglass_curl_open() { throw .noLibrary(String(cString: reason)) }
        let noMemory = ClientError.local("There is no memory for a connection.")
        guard let multi = sandglass_curl_multi_init() else { throw noMemory }
        guard let easy = sandglass_curl_easy_init() else {
            sandglass_curl_multi_cleanup(multi)
            throw noMemory
        }
        (self.multi, self.easy, self.agent, self.caFile) = (multi, easy, agent, caFile)
        failure = .allocate(capacity: Int(CURL_ERROR_SIZE))
        failure.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    }

    deinit {
        sandglass_curl_easy_cleanup(easy)
        sandglass_curl_multi_cleanup(multi)
        failure.deallocate()
    }

    /// Makes the handle ready for a request: what is the same for all.
    func prepare() throws(ClientError) {
        failure.pointee = 0
        try check(sandglass_curl_set_error_buffer(easy, failure))
        try set(CURLOPT_USERAGENT, agent)
        try set(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1)
        // No signal handlers and no SIGALRM: signals are the owner's.
        try set(CURLOPT_NOSIGNAL, 1)
        // The owner does not want its headers to go where an answer says, and has made the path itself.
        try set(CURLOPT_FOLLOWLOCATION, 0)
        try set(CURLOPT_PATH_AS_IS, 1)
        try set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        try set(CURLOPT_CONNECTTIMEOUT, Self.connectSeconds)
        if let caFile {
            try set(CURLOPT_CAINFO, caFile)
            try set(CURLOPT_CAPATH, nil)
        }
    }

    func set(_ option: CURLoption, _ value: Int) throws(ClientError) {
        try check(sandglass_curl_set_long(easy, option, value))
    }

    func set(_ option: CURLoption, _ text: String?) throws(ClientError) {
        try check(sandglass_curl_set_text(easy, option, text))
    }

    /// Throws what keeps a request from being begun.
    func check(_ code: CURLcode) throws(ClientError) {
        guard code == CURLE_OK else { throw .local("libcurl does not take the request: \(reason(of: code)).") }
    }

    /// What libcurl says about a failure, for people.
    func reason(of code: CURLcode) -> String {
        String(cString: failure.pointee == 0 ? sandglass_curl_easy_strerror(code) : UnsafePointer(failure))
    }
}
