internal import CCurl

/// A libcurl connection that is kept alive between requests and carries one request at a time.
final class CurlConnection {
    /// The timeout for making a connection.
    private static let connectSeconds = 15

    /// The handle that keeps the connection and can wait for another descriptor as well (libcurl-multi(3)).
    let multi: UnsafeMutableRawPointer
    /// The handle of the request (libcurl-easy(3)).
    let easy: UnsafeMutableRawPointer
    private let agent: String
    private let caFile: String?
    /// The buffer for libcurl's error messages.
    ///
    /// libcurl uses the buffer as long as the handle exists (CURLOPT_ERRORBUFFER(3)).
    private let errorMessage: UnsafeMutablePointer<CChar>

    /// - Parameters:
    ///   - agent: The value of the `User-Agent` header (RFC 9110 §10.1.5).
    ///   - caFile: The path of a PEM file with certificates to trust instead of the system's.
    /// - Throws: `noLibrary` if there is no libcurl.
    init(agent: String, caFile: String?) throws(ClientError) {
        if let reason = sandglass_curl_open() { throw .noLibrary(String(cString: reason)) }
        let noMemory = ClientError.local("There is no memory for a connection.")
        guard let multi = sandglass_curl_multi_init() else { throw noMemory }
        guard let easy = sandglass_curl_easy_init() else {
            sandglass_curl_multi_cleanup(multi)
            throw noMemory
        }
        (self.multi, self.easy, self.agent, self.caFile) = (multi, easy, agent, caFile)
        errorMessage = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorMessage.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    }

    deinit {
        sandglass_curl_easy_cleanup(easy)
        sandglass_curl_multi_cleanup(multi)
        errorMessage.deallocate()
    }

    /// Sets the options that are the same for all requests.
    func prepare() throws(ClientError) {
        errorMessage.pointee = 0
        try check(sandglass_curl_set_error_buffer(easy, errorMessage))
        try set(CURLOPT_USERAGENT, agent)
        try set(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1)
        // No signal handlers and no SIGALRM: the program handles signals itself.
        try set(CURLOPT_NOSIGNAL, 1)
        // A redirect must not send the headers to another server, and the path is already complete.
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

    /// Throws the error of a failed libcurl call that prepares a request.
    func check(_ code: CURLcode) throws(ClientError) {
        guard code == CURLE_OK else { throw .local("libcurl rejects the request: \(reason(of: code)).") }
    }

    /// Returns libcurl's explanation of a failure, for people.
    func reason(of code: CURLcode) -> String {
        String(cString: errorMessage.pointee == 0 ? sandglass_curl_easy_strerror(code) : UnsafePointer(errorMessage))
    }
}
