internal import CLinux
internal import CMicroHTTPD
internal import CMicroHTTPDHooks
internal import Glibc

/// libmicrohttpd's daemon and connections, in Swift's terms.
///
/// This file and `MicroHTTPDCallbacks.swift` are the only ones that see the C library.
struct MicroHTTPD {
    /// MHD's epoll descriptor.
    let descriptor: Int32
    private let daemon: OpaquePointer

    /// Starts the daemon, without a listening socket.
    init(connections: Connections, address: String) throws(HTTPServerError) {
        let configuration = connections.configuration
        guard Self.wordsPages else { throw HTTPServerError(operation: .start, subject: address, errno: ENOSYS) }
        let limits = sandglass_mhd_limits(
            connections: UInt32(clamping: configuration.maximumConnections),
            // MHD reads a request's head into this, makes a list of its headers and writes an answer's head. What does
            // not fit it refuses by itself, so there is room for more than is allowed. It clears all of it
            // after every request, so there is not too much.
            connection_bytes: 2 * configuration.maximumHeaderBytes
        )
        let callbacks = MicroHTTPDCallbacks.make(for: connections)
        guard let daemon = Self.start(limits, callbacks, configuration.tls) else {
            guard configuration.isEncrypted else {
                throw HTTPServerError(operation: .start, subject: address, errno: errno)
            }
            // GnuTLS's errors are not errno's, and MHD keeps them to itself.
            throw HTTPServerError(operation: .useIdentity, subject: address, errno: 0)
        }
        self.daemon = daemon
        descriptor = sandglass_mhd_epoll_descriptor(daemon)
        // MHD takes an event without a pointer for a wake-up of its own and goes on. So one descriptor, without
        // another epoll around it, tells of all there is: each level of nesting would cost every request.
        var event = epoll_event(events: EPOLLIN.rawValue, data: epoll_data(ptr: nil))
        guard epoll_ctl(descriptor, EPOLL_CTL_ADD, connections.poll, &event) == 0 else {
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
        // MHD reads both as C strings, before this returns.
        return (identity.certificateChain + [0]).withUnsafeBytes { certificate in
            (identity.privateKey + [0]).withUnsafeBytes { key in
                sandglass_mhd_start(limits, callbacks, certificate.baseAddress, key.baseAddress)
            }
        }
    }

    func run() {
        MHD_run(daemon)
    }

    /// Gives MHD a connection that was accepted; it closes the socket, now if it cannot take it.
    func add(_ socket: Int32, from address: SocketAddress) {
        _ = address.withPointer { Int32(MHD_add_connection(daemon, socket, $0, $1).rawValue) }
    }

    var timeout: Duration? {
        let milliseconds = sandglass_mhd_timeout(daemon)
        return milliseconds < 0 ? nil : .milliseconds(milliseconds)
    }

    /// Closes all connections.
    ///
    /// No connection may be suspended that has not been resumed.
    func stop() {
        MHD_stop_daemon(daemon)
    }

    /// Whether what MHD answers by itself is worded by us, for all daemons, from the first one on.
    private static let wordsPages = sandglass_mhd_hook_pages { MicroHTTPDCallbacks.page($0, UInt32($1), $2) }

    /// Whether the library leaves a request's lines where it received them; see `HeaderPlaces`.
    static let keepsLinesInPlace = sandglass_mhd_keeps_lines_in_place()

    /// How much of a stream is read at once for HTTP/1.0; for chunks MHD takes what it has left for the connection.
    private static let streamBytes = 16 << 10

    /// The words after a status code.
    static func reason(of status: Int) -> String {
        MHD_get_reason_phrase_for(UInt32(clamping: status)).map { String(cString: $0) } ?? ""
    }

    /// Resumes a connection so that its answer is written before anything is read.
    ///
    /// MHD reads first, and would take the end of the stream, sent by a client that has closed its sending side
    /// but still reads, for an end of the connection: the answer would be lost. But MHD first calls its state
    /// machine, which turns a connection with an answer from reading to writing, for those connections
    /// whose timeout is not the common one, which is none. So this one gets its own, a day, until it is answered.
    static func resume(_ connection: OpaquePointer) {
        sandglass_mhd_set_timeout(connection, 86_400)
        MHD_resume_connection(connection)
    }

    /// Leaves a connection alone; to be called while MHD calls back for it.
    static func suspend(_ connection: OpaquePointer) {
        MHD_suspend_connection(connection)
    }

    /// Resumes a connection: MHD goes on with what it did, which is to read a body or to send an answer.
    static func resumeAsItWas(_ connection: OpaquePointer) {
        MHD_resume_connection(connection)
    }

    /// Makes MHD's own form of an answer, to be released; nil if it cannot be one.
    static func make(_ response: Response) -> OpaquePointer? {
        guard (200...599).contains(response.status) else { return nil }
        return make(response.body).flatMap { complete($0, response.headers) }
    }

    /// Makes MHD's own form of an answer whose body is made while it is sent; nil if it cannot be one.
    static func make(_ head: Response, streaming stream: ResponseStream, isToHead: Bool) -> OpaquePointer? {
        guard (200...599).contains(head.status) else { return nil }
        // SAFETY: released by the response's end, which MHD tells once, also of one that was never sent.
        let context = Unmanaged.passRetained(stream).toOpaque()
        let made = sandglass_mhd_create_stream(
            streamBytes,
            { MicroHTTPDCallbacks.read($0, $2, $3) },
            context,
            // SAFETY: the response's end, which gives back what was retained above.
            { $0.map { Unmanaged<ResponseStream>.fromOpaque($0).release() } }
        )
        guard let made else {
            // SAFETY: nobody else has it: what was retained above.
            Unmanaged<ResponseStream>.fromOpaque(context).release()
            return nil
        }
        if isToHead { sandglass_mhd_answer_head(made) }
        return complete(made, head.headers)
    }

    /// Adds the header fields, or lets the answer go.
    private static func complete(_ made: OpaquePointer, _ headers: [HeaderField]) -> OpaquePointer? {
        for field in headers where !isOurs(field.name) {
            guard field.value.utf8.allSatisfy(\.isFieldCharacter), field.name.utf8.allSatisfy(\.isTokenCharacter),
                MHD_add_response_header(made, field.name, field.value) == .YES
            else {
                release(made)
                return nil
            }
        }
        return made
    }

    static func release(_ made: OpaquePointer) {
        MHD_destroy_response(made)
    }

    static func queue(_ response: PreparedResponse, on connection: OpaquePointer) {
        sandglass_mhd_queue_response(connection, UInt32(response.status), response.made)
    }

    private static func isOurs(_ name: String) -> Bool {
        switch name.utf8.count {
        case 14: name.utf8.equalsIgnoringCase("Content-Length")
        case 17: name.utf8.equalsIgnoringCase("Transfer-Encoding")
        default: false
        }
    }

    private static func make(_ body: ResponseBody) -> OpaquePointer? {
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
            // MHD closes the descriptor that it is given, and the file closes its own.
            let duplicate = fcntl(file.descriptor, F_DUPFD_CLOEXEC, 0)
            guard duplicate >= 0 else { return nil }
            guard let made = MHD_create_response_from_fd_at_offset64(UInt64(count), duplicate, UInt64(offset)) else {
                close(duplicate)
                return nil
            }
            return made
        }
    }
}
