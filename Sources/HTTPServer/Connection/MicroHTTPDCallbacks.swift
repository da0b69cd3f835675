internal import CMicroHTTPD
internal import Glibc
internal import System

/// The functions that MHD calls while it runs.
///
/// SAFETY, for all of them: the callbacks' context is a `ConnectionTable`, unretained. The `HTTPDaemon` keeps it alive
/// until after MHD_stop_daemon, the last function that calls back. A request's context is a `RequestState`, retained by
/// `readTarget`, MHD's first call for a request, and released by `completed`, MHD's last. MHD makes exactly one call of
/// each. A connection's context is a `Connection`, retained and released by `connectionChanged`, which MHD calls
/// exactly twice for each. MHD makes all calls inside MHD_run and MHD_stop_daemon, on the thread of the server.
enum MicroHTTPDCallbacks {
    static func make(for connections: ConnectionTable) -> sandglass_mhd_callbacks {
        sandglass_mhd_callbacks(
            // SAFETY: see the type.
            context: Unmanaged.passUnretained(connections).toOpaque(),
            access: { MicroHTTPDCallbacks.access($0, $1, $2, $3, $4, $5, $6, $7) },
            completed: { MicroHTTPDCallbacks.completed($0, $1, $2, $3) },
            connection: { MicroHTTPDCallbacks.connectionChanged($0, $1, $2, $3) },
            target: { MicroHTTPDCallbacks.readTarget($0, $1, $2) },
            // MHD would decode percent escapes leniently. This callback leaves the text unchanged.
            unescape: { _, _, text in text.map { strlen($0) } ?? 0 }
        )
    }

    // MARK: Requests

    /// Reads the target of a request line.
    ///
    /// MHD cuts the target into pieces right after this call.
    private static func readTarget(
        _ context: UnsafeMutableRawPointer?,
        _ target: UnsafePointer<CChar>?,
        _ handle: OpaquePointer?
    ) -> UnsafeMutableRawPointer? {
        guard let connections = connections(context), let target, let connection = connection(handle) else {
            return nil
        }
        let request = RequestState(
            target: text(target),
            connection: connection,
            maximumBytes: connections.configuration.maximumTargetBytes,
            start: connections.reportsCompletions ? MonotonicTime.now : nil
        )
        connections.began(request, on: connection)
        if MicroHTTPD.keepsLinesInPlace { sandglass_mhd_hide_query(target) }
        // SAFETY: released by `completed`.
        return Unmanaged.passRetained(request).toOpaque()
    }

    /// Reads a request.
    ///
    /// MHD calls this function after the head, then for each piece of the body, then at the end.
    private static func access(
        _ context: UnsafeMutableRawPointer?,
        _ connection: OpaquePointer?,
        _ path: UnsafePointer<CChar>?,
        _ method: UnsafePointer<CChar>?,
        _ version: UnsafePointer<CChar>?,
        _ upload: UnsafePointer<CChar>?,
        _ uploadSize: UnsafeMutablePointer<Int>?,
        _ requestContext: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
    ) -> MHD_Result {
        guard let connections = connections(context), let connection, let uploadSize,
            let pointer = requestContext?.pointee
        else { return .NO }
        // SAFETY: see the type.
        let request = Unmanaged<RequestState>.fromOpaque(pointer).takeUnretainedValue()
        let reader = RequestReader(connections: connections)
        if case .head(_, let targetBytes) = request.stage, let path, let method, let version {
            let head = RequestHead(
                method: text(method),
                target: text(path, count: targetBytes),
                version: text(version),
                byteCount: sandglass_mhd_header_bytes(connection)
            )
            reader.readHead(head, headers(of: connection, head), of: request)
            return .YES
        }
        if uploadSize.pointee > 0 {
            // SAFETY: MHD passes that many bytes, valid during this call.
            let piece = UnsafeRawBufferPointer(start: upload, count: uploadSize.pointee)
            guard reader.readBody(piece, of: request) else {
                MHD_suspend_connection(connection)
                return .YES
            }
            uploadSize.pointee = 0
            return .YES
        }
        switch reader.finish(request) {
        case .send: return .YES
        case .suspend:
            MHD_suspend_connection(connection)
            return .YES
        case .close: return .NO
        }
    }

    /// Completes a request, with a response or without one.
    private static func completed(
        _ context: UnsafeMutableRawPointer?,
        _ connection: OpaquePointer?,
        _ requestContext: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
        _ reason: MHD_RequestTerminationCode
    ) {
        guard let connections = connections(context), let connection, let pointer = requestContext?.pointee else {
            return
        }
        requestContext?.pointee = nil
        // SAFETY: see the type. This balances the retain in `readTarget`.
        let request = Unmanaged<RequestState>.fromOpaque(pointer).takeRetainedValue()
        defer { connections.completed(request, isSent: reason == .REQUEST_TERMINATED_COMPLETED_OK) }
        request.sink?.end()
        guard case .handled(let exchange) = request.stage else { return }
        exchange.complete()
        guard exchange.wasSuspended else { return }
        // Removes the timeout that `MicroHTTPD.resumeToSend` set.
        sandglass_mhd_set_timeout(connection, 0)
    }

    private static func headers(of connection: OpaquePointer, _ head: RequestHead) -> HeaderCollector {
        var collector = HeaderCollector(head, checksLayout: MicroHTTPD.keepsLinesInPlace)
        withUnsafeMutablePointer(to: &collector) { pointer in
            let add: MHD_KeyValueIteratorN = { pointer, _, name, nameSize, value, valueSize in
                guard let pointer, let name, let value else { return .YES }
                // SAFETY: the pointer to `collector`, which has no other user during the call.
                pointer.assumingMemoryBound(to: HeaderCollector.self).pointee.add(
                    name: MicroHTTPDCallbacks.text(name, count: nameSize),
                    value: MicroHTTPDCallbacks.text(value, count: valueSize)
                )
                return .YES
            }
            _ = MHD_get_connection_values_n(connection, .HEADER_KIND, add, pointer)
        }
        return collector
    }

    // MARK: Responses

    /// Reads the next bytes of a stream, which is the context.
    static func read(
        _ context: UnsafeMutableRawPointer?,
        _ buffer: UnsafeMutablePointer<CChar>?,
        _ count: Int
    ) -> Int {
        guard let context, let buffer else { return sandglass_mhd_end_with_error() }
        // SAFETY: the response retains the stream, and MHD holds the response during this call.
        let stream = Unmanaged<ResponseStream>.fromOpaque(context).takeUnretainedValue()
        // SAFETY: MHD passes a buffer of that many bytes, writable during this call.
        switch stream.fill(UnsafeMutableRawBufferPointer(start: buffer, count: count)) {
        case .bytes(let count): return count
        case .nothingYet: return 0
        case .end: return sandglass_mhd_end_of_stream()
        case .failure: return sandglass_mhd_end_with_error()
        }
    }

    /// Replaces an error page that MHD is about to queue, and returns whether MHD must queue a page.
    static func replaceErrorPage(
        _ handle: OpaquePointer?,
        _ status: UInt32,
        _ response: UnsafeMutablePointer<OpaquePointer?>?
    ) -> Bool {
        guard let handle, let connection = connection(handle) else { return true }
        let isQueued = connection.table.replaceErrorPage(
            status: Int(status),
            headIsComplete: sandglass_mhd_header_bytes(handle) > 0,
            on: connection
        )
        if let page = connection.errorPage { response?.pointee = page.handle }
        return isQueued
    }

    // MARK: Connections

    /// Opens a connection that MHD has accepted, or ends one that MHD is about to close.
    private static func connectionChanged(
        _ context: UnsafeMutableRawPointer?,
        _ handle: OpaquePointer?,
        _ socketContext: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
        _ change: MHD_ConnectionNotificationCode
    ) {
        guard let connections = connections(context), let handle, let socketContext else { return }
        switch change {
        case .CONNECTION_NOTIFY_STARTED:
            let address = sandglass_mhd_client_address(handle).flatMap { SocketAddress($0) }
            let connection = Connection(
                handle: handle,
                socket: sandglass_mhd_socket(handle),
                clientAddress: address?.clientLiteral ?? "",
                table: connections
            )
            // SAFETY: released below.
            socketContext.pointee = Unmanaged.passRetained(connection).toOpaque()
            connections.opened(connection, from: address)
        default:
            guard let pointer = socketContext.pointee else { return }
            socketContext.pointee = nil
            // SAFETY: see the type. This balances the retain above.
            connections.closing(Unmanaged<Connection>.fromOpaque(pointer).takeRetainedValue())
        }
    }

    private static func connection(_ handle: OpaquePointer?) -> Connection? {
        // SAFETY: see the type.
        handle.flatMap { sandglass_mhd_context($0) }.map {
            Unmanaged<Connection>.fromOpaque($0).takeUnretainedValue()
        }
    }

    private static func connections(_ context: UnsafeMutableRawPointer?) -> ConnectionTable? {
        // SAFETY: see the type.
        context.map { Unmanaged<ConnectionTable>.fromOpaque($0).takeUnretainedValue() }
    }

    /// Returns one of MHD's texts, which is valid during the callback.
    private static func text(_ start: UnsafePointer<CChar>, count: Int? = nil) -> UnsafeBufferPointer<UInt8> {
        // SAFETY: the text has that many bytes or ends with a NUL. CChar and UInt8 have the same layout.
        UnsafeRawBufferPointer(start: start, count: count ?? strlen(start)).bindMemory(to: UInt8.self)
    }
}
