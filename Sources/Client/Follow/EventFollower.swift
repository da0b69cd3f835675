internal import JSON
package import RunAPI
package import RunModel
internal import System

/// A reader of a run's events until the run ends, over as many connections as needed.
///
/// The follower counts the received bytes of each stream. After a lost connection it makes a new one and continues
/// after the last complete event (`Last-Event-ID`). Each event has its offset in the stream, so that repeated bytes are
/// detected, and bytes that the server no longer has are reported.
package struct EventFollower {
    /// The maximum length of an event in bytes.
    ///
    /// A server stores no longer part of a stream as one piece.
    private static let maximumEventBytes = 64 << 20
    /// Three times the interval of 15 seconds at which a server sends something.
    private static let idleTimeout: Duration = .seconds(45)

    private let client: APIClient
    private let id: RunID
    private let onGap: (OutputStream, Range<Int>) -> Void
    /// The number of bytes of each stream that have arrived or were cut: the offset of the next byte.
    private var counts: [OutputStream: Int] = [:]
    /// The streams of which ``onGap`` has reported missing bytes.
    private var streamsWithGap: Set<OutputStream> = []
    private var lastEvent: String?
    private var finishedRun: ReceivedRun?
    /// The number of bytes of each stream to read; `nil` for all until the run ends.
    private var targets: [OutputStream: Int]?
    private var policy = RetryPolicy()

    /// - Parameters:
    ///   - client: The client of the server.
    ///   - id: The run.
    ///   - onGap: Called where bytes of a stream are missing, with their offsets: they were cut, or this client was too
    ///     slow to read them from a running run.
    package init(
        _ client: APIClient,
        _ id: RunID,
        onGap: @escaping (OutputStream, Range<Int>) -> Void
    ) {
        (self.client, self.id, self.onGap) = (client, id, onGap)
    }

    /// Follows the run until it ends.
    ///
    /// - Parameter take: Called with each part of a stream. The part counts as received when the closure returns.
    /// - Returns: The finished run, without its output.
    /// - Throws: An error that is not transient, or has persisted for a minute, and the errors of the closure.
    package mutating func follow(
        _ take: (OutputStream, [UInt8]) throws(ClientError) -> Void
    ) throws(ClientError) -> ReceivedRun {
        try read(take)
        guard let finishedRun else { throw .invalidResponse("The server did not report the end of the run.") }
        return finishedRun
    }

    /// Reports the bytes that the server cut and that were not reported as a gap yet.
    ///
    /// - Parameters:
    ///   - run: The finished run.
    ///   - includesReceived: Whether to report also a cut whose bytes have all arrived while the command ran.
    /// - Throws: If the request for the run fails.
    package func reportCuts(of run: ReceivedRun, includingReceived includesReceived: Bool) throws(ClientError) {
        // A stream that is shorter than the limit is complete. No request is needed then.
        guard let limit = run.outputLimit, counts.values.contains(where: { $0 >= limit }) || limit == 0 else { return }
        reportCuts(in: try client.run(id), includingReceived: includesReceived)
    }

    private func reportCuts(in complete: ReceivedRun, includingReceived includesReceived: Bool) {
        for stream in OutputStream.allCases {
            guard let cut = complete.cut(of: stream) else { continue }
            let isReported = streamsWithGap.contains(stream) || !includesReceived
            let start = isReported ? max(cut.lowerBound, counts[stream, default: 0]) : cut.lowerBound
            if start < cut.upperBound { onGap(stream, start..<cut.upperBound) }
        }
    }

    /// Reads the output that exists now, without waiting for more, and reports all bytes that are missing in it.
    ///
    /// - Parameter take: Called with each part of a stream. The part counts as received when the closure returns.
    /// - Throws: The same errors as ``follow(_:)``.
    package mutating func catchUp(
        _ take: (OutputStream, [UInt8]) throws(ClientError) -> Void
    ) throws(ClientError) {
        // Only the events have the order of both streams, but those of an unfinished run do not end. So fetch the
        // lengths first.
        var targets: [OutputStream: Int] = [:]
        let run = try client.run(id)
        for stream in OutputStream.allCases {
            if let end = run.keptEnd(of: stream) {
                targets[stream] = end
            } else {
                targets[stream] = try client.storedBytes(id, stream)
            }
        }
        self.targets = targets
        try read(take)
        reportCuts(in: run, includingReceived: false)
    }

    private var hasReachedTargets: Bool {
        targets?.allSatisfy { counts[$0.key, default: 0] >= $0.value } ?? false
    }

    private mutating func read(
        _ take: (OutputStream, [UInt8]) throws(ClientError) -> Void
    ) throws(ClientError) {
        var hasLogged = false
        while finishedRun == nil, !hasReachedTargets {
            do throws(ClientError) {
                try connect(take)
                guard finishedRun == nil else { return }
                throw .disconnected("The event stream ended before the run did")
            } catch {
                // All events have arrived, so the state of the connection does not matter.
                if finishedRun != nil || hasReachedTargets { return }
                try client.pause(after: error, &policy, &hasLogged)
            }
        }
    }

    private mutating func connect(
        _ take: (OutputStream, [UInt8]) throws(ClientError) -> Void
    ) throws(ClientError) {
        var request = OutgoingRequest(target: "/runs/\(id)/events", headers: ["Accept: application/x-ndjson"])
        request.idleTimeout = Self.idleTimeout
        request.isStreamed = true
        if let lastEvent { request.headers.append("Last-Event-ID: \(lastEvent)") }
        var lines = LineBuffer(maximumBytes: Self.maximumEventBytes)
        try client.request(about: id) { () throws(ClientError) in
            _ = try client.sendOnce(
                request,
                receive: { part throws(ClientError) in
                    try lines.append(part) { line throws(ClientError) in try self.take(line, take) }
                }
            )
        }
    }

    private mutating func take(
        _ line: [UInt8],
        _ take: (OutputStream, [UInt8]) throws(ClientError) -> Void
    ) throws(ClientError) {
        guard !line.isEmpty else {
            // An empty line is a keep-alive: the connection works.
            return policy.recordSuccess()
        }
        switch try RunEvent(line: line) {
        case .output(let stream, let bytes, let offset, let id)?:
            let count = counts[stream, default: 0]
            guard offset >= count else {
                throw .invalidResponse(
                    "The server continued at byte \(offset) of \(stream.rawValue), but the next one is byte \(count)."
                )
            }
            if offset > count {
                streamsWithGap.insert(stream)
                onGap(stream, count..<offset)
            }
            try take(stream, bytes)
            counts[stream] = offset + bytes.count
            lastEvent = id
            policy.recordSuccess()
            if hasReachedTargets { throw .disconnected("All requested output has arrived") }
        case .end(let run)?:
            guard run.id == id else { throw .invalidResponse("The server reported the end of another run.") }
            finishedRun = run
        case .state?, nil: break
        }
    }
}

/// An event of a run.
package enum RunEvent: Sendable {
    /// A part of a stream, and the number of bytes of that stream before it.
    case output(OutputStream, bytes: [UInt8], offset: Int, id: String)
    /// The current state of the run.
    case state(ReceivedRun, id: String)
    /// The finished run; the last event.
    case end(ReceivedRun)

    /// Parses a line of `application/x-ndjson`.
    ///
    /// - Returns: `nil` for an unknown event, which a newer server may send.
    init?(line: [UInt8]) throws(ClientError) {
        let object: JSONObject?
        do throws(JSONParseError) {
            object = try JSONParser.parse(line).object
        } catch {
            throw Self.fault
        }
        guard let object, let name = object["event"]?.string, let id = object["id"]?.string, Self.isHeaderSafe(id)
        else { throw Self.fault }
        switch name {
        case "state", "end":
            guard let value = object["run"] else { throw Self.fault }
            let run = try ReceivedRun(value)
            self = name == "end" ? .end(run) : .state(run, id: id)
        default:
            guard let stream = OutputStream(rawValue: name) else { return nil }
            do throws(MalformedDocument) {
                let event = try EventDocument(object)
                self = .output(stream, bytes: event.bytes, offset: event.offset, id: id)
            } catch {
                throw ClientError(error)
            }
        }
    }

    /// Returns whether an id can be sent back in the header `Last-Event-ID`.
    private static func isHeaderSafe(_ id: String) -> Bool {
        id.utf8.count <= 64 && id.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }

    private static let fault = ClientError.invalidResponse("The server sent an invalid event.")
}

/// A buffer that splits received parts into lines.
struct LineBuffer {
    private let maximumBytes: Int
    private var pending: [UInt8] = []

    /// - Parameter maximumBytes: The maximum length of a line.
    init(maximumBytes: Int) { self.maximumBytes = maximumBytes }

    /// Appends a part, and passes on each complete line without its newline.
    ///
    /// - Throws: `invalidResponse` if a line is too long, and the errors of the closure.
    mutating func append(
        _ part: UnsafeRawBufferPointer,
        _ take: ([UInt8]) throws(ClientError) -> Void
    ) throws(ClientError) {
        var rest = part[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            let line = pending + rest[..<end]
            pending = []
            rest = rest[(end + 1)...]
            guard line.count <= maximumBytes else { throw tooLong }
            try take(line)
        }
        guard pending.count + rest.count <= maximumBytes else { throw tooLong }
        pending.append(contentsOf: rest)
    }

    private var tooLong: ClientError {
        .invalidResponse("The server sent an event that is larger than \(maximumBytes, counting: "byte").")
    }
}
