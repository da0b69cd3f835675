internal import CMicroHTTPD
internal import Glibc

/// What MHD calls while it runs.
///
/// SAFETY, of all of it: the context is a `Connections`, unretained, which the `HTTPServer` keeps alive until
/// after MHD_stop_daemon, the last to call back. A request's context is an `Intake`, retained by `target`,
/// MHD's first call for a request, and released by `completed`, its last; MHD makes exactly one of each. A connection's
/// context is a `Connection`, retained and released by `connectionChanged`, which MHD calls exactly twice for each. All
/// calls are made inside MHD_run and MHD_stop_daemon, on the thread of the server.
enum MicroHTTPDCallbacks {
    static func make(for connections: Connections) -> sandglass_mhd_callbacks {
        sandglass_mhd_callbacks(
            // SAFETY: see above.
            context: Unmanaged.passUnretained(connections).toOpaque(),
            access: { MicroHTTPDCallbacks.access($0, $1, $2, $3, $4, $5, $6, $7) },
            completed: { MicroHTTPDCallbacks.completed($0, $1, $2, $3) },
            connection: { MicroHTTPDCallbacks.connectionChanged($0, $1, $2, $3) },
            target: { MicroHTTPDCallbacks.readTarget($0, $1, $2) },
            // MHD would take off the percent-encoding, leniently: the text is left as it is.
            unescape: { _, _, text in text.map { strlen($0) } ?? 0 }
        )
    }

    /// The request line has been read; MHD cuts the target into pieces right after.
    private static func readTarget(
        _ context: UnsafeMutableRawPointer?,
        _ target: UnsafePointer<CChar>?,
        _ handle: OpaquePointer?
    ) -> UnsafeMutableRawPointer? {
        guard let connections = connections(context), let target, let connection = connection(handle) else {
            return nil
        }
        let intake = Intake(
            target: text(target),
            connection: connection,
            mostBytes: connections.configuration.maximumTargetBytes,
            start: connections.tellsCompletions ? MonotonicClock.nanoseconds : nil
        )
        connections.began(intake, on: connection)
        if MicroHTTPD.keepsLinesInPlace { sandglass_mhd_hide_query(target) }
        // SAFETY: released by `completed`.
        return Unmanaged.passRetained(intake).toOpaque()
    }

    /// The head has been read; then, a piece of the body; at last, the whole request.
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
        let intake = Unmanaged<Intake>.fromOpaque(pointer).takeUnretainedValue()
        let reception = Reception(connections: connections)
        if case .line(_, let targetBytes) = intake.stage, let path, let method, let version {
            let head = RequestHead(
                method: text(method),
                target: text(path, count: targetBytes),
                version: text(version),
                byteCount: sandglass_mhd_header_bytes(connection)
            )
            reception.accept(head, headers(of: connection, head), into: intake)
            return .YES
        }
        if uploadSize.pointee > 0 {
            // SAFETY: MHD gives that many bytes, valid during this call.
            let piece = UnsafeRawBufferPointer(start: upload, count: uploadSize.pointee)
            guard reception.receive(piece, into: intake) else {
                MHD_suspend_connection(connection)
                return .YES
            }
            uploadSize.pointee = 0
            return .YES
        }
        switch reception.finish(intake) {
        case .answered: return .YES
        case .waits:
            MHD_suspend_connection(connection)
            return .YES
        case .nobodyLeft: return .NO
        }
    }

    /// Reads what a stream has; its context is retained by the response.
    static func read(
        _ context: UnsafeMutableRawPointer?,
        _ buffer: UnsafeMutablePointer<CChar>?,
        _ count: Int
    ) -> Int {
        guard let context, let buffer else { return sandglass_mhd_end_with_error() }
        // SAFETY: the response retains it, and MHD holds the response while it calls this.
        let stream = Unmanaged<ResponseStream>.fromOpaque(context).takeUnretainedValue()
        // SAFETY: MHD gives a buffer of that many bytes, to be written during this call.
        switch stream.fill(UnsafeMutableRawBufferPointer(start: buffer, count: count)) {
        case .bytes(let count): return count
        case .nothingYet: return 0
        case .end: return sandglass_mhd_end_of_stream()
        case .failure: return sandglass_mhd_end_with_error()
        }
    }

    /// The request is over, answered or not.
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
        // SAFETY: see the type; this gives back what `readTarget` retained.
        let intake = Unmanaged<Intake>.fromOpaque(pointer).takeRetainedValue()
        defer { connections.completed(intake, isWhole: reason == .REQUEST_TERMINATED_COMPLETED_OK) }
        intake.sink?.end()
        guard case .handed(let exchange) = intake.stage else { return }
        exchange.complete()
        guard exchange.hasWaited else { return }
        // See `MicroHTTPD.resume`.
        sandglass_mhd_set_timeout(connection, 0)
    }

    /// MHD is about to answer by itself; false if it shall not.
    static func page(
        _ handle: OpaquePointer?,
        _ status: UInt32,
        _ response: UnsafeMutablePointer<OpaquePointer?>?
    ) -> Bool {
        guard let handle, let connection = connection(handle) else { return true }
        let isComplete = sandglass_mhd_header_bytes(handle) > 0
        let may = connection.owner.mayQueuePage(status: Int(status), headIsComplete: isComplete, on: connection)
        if let page = connection.page { response?.pointee = page.made }
        return may
    }

    /// A connection was accepted, or is about to be closed.
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
                owner: connections
            )
            // SAFETY: released below.
            socketContext.pointee = Unmanaged.passRetained(connection).toOpaque()
            connections.opened(connection, from: address)
        default:
            guard let pointer = socketContext.pointee else { return }
            socketContext.pointee = nil
            // SAFETY: see the type; this gives back what was retained above.
            connections.closing(Unmanaged<Connection>.fromOpaque(pointer).takeRetainedValue())
        }
    }

    private static func headers(of connection: OpaquePointer, _ head: RequestHead) -> HeaderCollector {
        var collector = HeaderCollector(head, checksPlaces: MicroHTTPD.keepsLinesInPlace)
        withUnsafeMutablePointer(to: &collector) { pointer in
            let add: MHD_KeyValueIteratorN = { pointer, _, name, nameSize, value, valueSize in
                guard let pointer, let name, let value else { return .YES }
                // SAFETY: it is the pointer to `collector`, which nobody else touches during the call.
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

    private static func connection(_ handle: OpaquePointer?) -> Connection? {
        // SAFETY: see the type.
        handle.flatMap { sandglass_mhd_context($0) }.map {
            Unmanaged<Connection>.fromOpaque($0).takeUnretainedValue()
        }
    }

    private static func connections(_ context: UnsafeMutableRawPointer?) -> Connections? {
        // SAFETY: see the type.
        context.map { Unmanaged<Connections>.fromOpaque($0).takeUnretainedValue() }
    }

    /// A text of MHD's, valid during the callback.
    private static func text(_ start: UnsafePointer<CChar>, count: Int? = nil) -> UnsafeBufferPointer<UInt8> {
        // SAFETY: the text has that many bytes, or ends with a NUL; char and UInt8 have the same layout.
        UnsafeRawBufferPointer(start: start, count: count ?? strlen(start)).bindMemory(to: UInt8.self)
    }
}
