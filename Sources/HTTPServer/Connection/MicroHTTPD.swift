internal import CLinux
internal import CMicroHTTPD
internal import Glibc

/// libmicrohttpd's daemon, connections and responses.
///
/// Only this file and `MicroHTTPDCallbacks.swift` use the C library.
struct MicroHTTPD {
    /// MHD's epoll descriptor.
    let descriptor: Int32
    private let daemon: OpaquePointer

    /// Starts a daemon without a listening socket.
    init(connections: ConnectionTable, address: String) throws(HTTPServerError) {
        let configuration = connections.configuration
        guard Self.replacesErrorPages else {
            throw HTTPServerError(operation: .start, subject: address, errno: ENOSYS)
        }
        let limits = sandglass_mhd_limits(
            connections: UInt32(clamping: configuration.maximumConnections),
            // In this memory MHD keeps a request's head, a list of its header fields and the head of the response. MHD
            // itself refuses a request that does not fit, so the memory exceeds the permitted size of a head. MHD
            // clears all of it after every request, so it must not be too large.
            connection_bytes: 2 * configuration.maximumHeaderBytes
        )
        let callbacks = MicroHTTPDCallbacks.make(for: connections)
        guard let daemon = Self.start(limits, callbacks, configuration.tls) else {
            guard configuration.isEncrypted else {
                throw HTTPServerError(operation: .start, subject: address, errno: errno)
            }
            // GnuTLS has its own error codes, and MHD does not pass them on.
            throw HTTPServerError(operation: .useIdentity, subject: address, errno: 0)
        }
        self.daemon = daemon
        descriptor = sandglass_mhd_epoll_descriptor(daemon)
        // MHD takes an event without a pointer for a wake-up of its own and ignores it. So MHD's descriptor can also
        // report our events. A second epoll descriptor around it would cost every request.
        var event = epoll_event(events: EPOLLIN.rawValue, data: epoll_data(ptr: nil))
        guard epoll_ctl(descriptor, EPOLL_CTL_ADD, connections.watchDescriptor, &event) == 0 else {
            let code = errno
            MHD_stop_daemon(daemon)
            throw HTTPServerError(operation: .watch, subject: address, errno: code)
        }
    }

    private static func start(
        _ limits: sandglass_mhd_limits,
        _ callbacks: sandglass_mhd_callbacks,
        _ identity: TLSIdentity?
    ) -> OpaquePointer? {
        guard let identity else { return sandglass_mhd_start(limits, callbacks, nil, nil) }
        // MHD reads both as C strings before this call returns.
        return (identity.certificateChain + [0]).withUnsafeBytes { certificate in
            (identity.privateKey + [0]).withUnsafeBytes { key in
                sandglass_mhd_start(limits, callbacks, certificate.baseAddress, key.baseAddress)
            }
        }
    }

    // MARK: The daemon

    func run() {
        MHD_run(daemon)
    }

    /// Passes an accepted connection to MHD, which closes the socket at once if it cannot take it.
    func add(_ socket: Int32, from address: SocketAddress) {
        _ = address.withPointer { Int32(MHD_add_connection(daemon, socket, $0, $1).rawValue) }
    }

    var timeout: Duration? {
        let milliseconds = sandglass_mhd_timeout(daemon)
        return milliseconds < 0 ? nil : .milliseconds(milliseconds)
    }

    /// Closes all connections.
    ///
    /// All suspended connections must have been resumed before.
    func stop() {
        MHD_stop_daemon(daemon)
    }

    /// True if MHD's error pages are replaced by ours.
    ///
    /// Evaluated once, before the first daemon starts.
    private static let replacesErrorPages = sandglass_mhd_set_error_page_hook {
        MicroHTTPDCallbacks.replaceErrorPage($0, UInt32($1), $2)
    }

    /// True if the library keeps a request's lines where it received them; see `HeaderLayout`.
    static let keepsLinesInPlace = sandglass_mhd_keeps_lines_in_place()

    // MARK: Connections

    /// Resumes a connection so that MHD sends its response before it reads anything.
    ///
    /// Without this, a client that has closed its sending side but still reads would lose the response: MHD reads
    /// first, and takes the end of the stream for the end of the connection. For connections with a timeout other than
    /// the daemon's, MHD calls its state machine before it reads. The state machine switches a connection with a
    /// response from reading to writing. The daemon has no timeout, so this connection gets one of its own, a day,
    /// until its response is sent.
    static func resumeToSend(_ connection: OpaquePointer) {
        sandglass_mhd_set_timeout(connection, 86_400)
        MHD_resume_connection(connection)
    }

    /// Resumes a connection, on which MHD continues to read a body or to send a response.
    static func resume(_ connection: OpaquePointer) {
        MHD_resume_connection(connection)
    }

    /// Suspends a connection.
    ///
    /// Must be called inside a callback for it.
    static func suspend(_ connection: OpaquePointer) {
        MHD_suspend_connection(connection)
    }

    static func queue(_ response: PreparedResponse, on connection: OpaquePointer) {
        sandglass_mhd_queue_response(connection, UInt32(response.status), response.handle)
    }

    // MARK: Responses

    /// The buffer size in bytes of a stream on HTTP/1.0.
    ///
    /// For chunks MHD uses its remaining memory for the connection.
    private static let streamBytes = 16 << 10

    /// Returns the reason phrase of a status code.
    static func reasonPhrase(of status: Int) -> String {
        MHD_get_reason_phrase_for(UInt32(clamping: status)).map { String(cString: $0) } ?? ""
    }

    /// Creates MHD's form of a response, or returns nil if the response is invalid.
    ///
    /// The caller must release it.
    static func create(_ response: Response) -> OpaquePointer? {
        guard (200...599).contains(response.status) else { return nil }
        return create(response.body).flatMap { addHeaders(response.headers, to: $0) }
    }

    /// Creates MHD's form of a response with a streamed body, or returns nil if the response is invalid.
    static func create(_ head: Response, streaming stream: ResponseStream, isToHead: Bool) -> OpaquePointer? {
        guard (200...599).contains(head.status) else { return nil }
        // SAFETY: released when MHD frees the response, which MHD reports once, also for a response that was never
        // sent.
        let context = Unmanaged.passRetained(stream).toOpaque()
        let created = sandglass_mhd_create_stream(
            streamBytes,
            { MicroHTTPDCallbacks.read($0, $2, $3) },
            context,
            // SAFETY: MHD frees the response, and this balances the retain above.
            { $0.map { Unmanaged<ResponseStream>.fromOpaque($0).release() } }
        )
        guard let created else {
            // SAFETY: MHD has not taken the context, and this balances the retain above.
            Unmanaged<ResponseStream>.fromOpaque(context).release()
            return nil
        }
        if isToHead { sandglass_mhd_disable_chunks(created) }
        return addHeaders(head.headers, to: created)
    }

    private static func create(_ body: ResponseBody) -> OpaquePointer? {
        switch body {
        case .bytes(var bytes):
            // SAFETY: MHD_RESPMEM_MUST_COPY reads the bytes before it returns, and writes none.
            return bytes.withUnsafeMutableBytes {
                MHD_create_response_from_buffer($0.count, $0.baseAddress, .RESPMEM_MUST_COPY)
            }
        case .file(_, _, count: 0):
            return MHD_create_response_from_buffer(0, nil, .RESPMEM_PERSISTENT)
        case .file(let file, let offset, let count):
            guard offset >= 0, count > 0 else { return nil }
            // MHD closes its descriptor and the file closes its own, so each needs one.
            let duplicate = fcntl(file.descriptor, F_DUPFD_CLOEXEC, 0)
            guard duplicate >= 0 else { return nil }
            guard let created = MHD_create_response_from_fd_at_offset64(UInt64(count), duplicate, UInt64(offset)) else {
                close(duplicate)
                return nil
            }
            return created
        }
    }

    /// Adds the header fields and returns the response, or releases it and returns nil if a field is invalid.
    private static func addHeaders(_ headers: [HeaderField], to response: OpaquePointer) -> OpaquePointer? {
        for field in headers where !isSetByMHD(field.name) {
            guard field.value.utf8.allSatisfy(\.isFieldCharacter), field.name.utf8.allSatisfy(\.isTokenCharacter),
                MHD_add_response_header(response, field.name, field.value) == .YES
            else {
                release(response)
                return nil
            }
        }
        return response
    }

    private static func isSetByMHD(_ name: String) -> Bool {
        switch name.utf8.count {
        case 14: name.utf8.equalsIgnoringCase("Content-Length")
        case 17: name.utf8.equalsIgnoringCase("Transfer-Encoding")
        default: false
        }
    }

    static func release(_ response: OpaquePointer) {
        MHD_destroy_response(response)
    }
}
