internal import Reactor
public import Runs

/// Follows a run's output to the run's end, over as many connections as that takes.
///
/// What has been taken is counted by stream. A connection that breaks off is made anew, and goes on behind the last event
/// that was taken whole (`Last-Event-ID`); each event says how much comes before it, so a byte that is lost or doubled on
/// the way does not go unseen.
public struct RunFollower {
    /// The longest event: a server keeps no more of a stream in one piece.
    private static let mostEventBytes = 64 << 20
    /// A server sends something every 15 seconds.
    private static let silence: Duration = .seconds(45)

    private let client: APIClient
    private let id: RunID
    private var counts: [OutputStream: Int] = [:]
    private var lastEvent: String?
    private var end: ReceivedRun?
    /// Enough of each stream; `nil`: all.
    private var enough: [OutputStream: Int]?
    private var patience = Patience()

    /// - Parameters:
    ///   - client: how to reach the server.
    ///   - id: the run.
    public init(_ client: APIClient, _ id: RunID) { (self.client, self.id) = (client, id) }

    /// Follows it.
    ///
    /// - Parameter take: takes the next part of a stream; it has been dealt with when this returns.
    /// - Returns: the run at its end, without its output.
    /// - Throws: what does not pass, what has not passed for a minute, and what the taker throws.
    public mutating func follow(
        _ take: (OutputStream, [UInt8]) throws(ClientError) -> Void
    ) throws(ClientError) -> ReceivedRun {
        try read(take)
        guard let end else { throw .misunderstood("The end of the run was not told.") }
        return end
    }

    /// The streams of which not all was kept, and so not all has come: more was written than `outputBytes`.
    ///
    /// - Parameter run: the run at its end.
    /// - Returns: them, and how much of each was kept.
    /// - Throws: what keeps the server from being asked.
    public func cutOff(_ run: ReceivedRun) throws(ClientError) -> [(stream: OutputStream, kept: Int)] {
        // A stream that is shorter than that is whole, and the server need not be asked.
        guard let most = run.mostOutputBytes, counts.values.contains(where: { $0 >= most }) || most == 0 else {
            return []
        }
        let whole = try client.run(id)
        return OutputStream.allCases.filter(whole.isTruncated).map { ($0, counts[$0, default: 0]) }
    }

    /// Reads what there is by now, and does not wait for more.
    ///
    /// - Parameter take: takes the next part of a stream; it has been dealt with when this returns.
    /// - Throws: as ``follow(_:)``.
    public mutating func catchUp(
        _ take: (OutputStream, [UInt8]) throws(ClientError) -> Void
    ) throws(ClientError) {
        // The events alone have the order of both streams, and those of a run that goes on have no end.
        var enough: [OutputStream: Int] = [:]
        for stream in OutputStream.allCases { enough[stream] = try client.keptBytes(id, stream) }
        self.enough = enough
        try read(take)
    }

    private var hasEnough: Bool { enough?.allSatisfy { counts[$0.key, default: 0] >= $0.value } ?? false }

    private mutating func read(
        _ take: (OutputStream, [UInt8]) throws(ClientError) -> Void
    ) throws(ClientError) {
        var hasSaid = false
        while end == nil, !hasEnough {
            do throws(ClientError) {
                try connect(take)
                guard end == nil else { return }
                throw .brokenOff("The events ended before the run did")
            } catch {
                // Its end has been told, whatever became of the connection behind it.
                if end != nil || hasEnough { return }
                try client.pause(after: error, &patience, &hasSaid)
            }
        }
    }

    private mutating func connect(
        _ take: (OutputStream, [UInt8]) throws(ClientError) -> Void
    ) throws(ClientError) {
        var request = Request(target: "/runs/\(id)/events", headers: ["Accept: application/x-ndjson"])
        request.silence = Self.silence
        request.isStreamed = true
        if let lastEvent { request.headers.append("Last-Event-ID: \(lastEvent)") }
        var lines = LineBuffer(mostBytes: Self.mostEventBytes)
        _ = try client.sendOnce(
            request,
            receive: { part throws(ClientError) in
                try lines.append(part) { line throws(ClientError) in try self.take(line, take) }
            }
        )
    }

    private mutating func take(
        _ line: [UInt8],
        _ take: (OutputStream, [UInt8]) throws(ClientError) -> Void
    ) throws(ClientError) {
        guard !line.isEmpty else {
            // A sign of life: the connection has been good for a while.
            return patience.succeeded()
        }
        switch try RunEvent(line: line) {
        case .output(let stream, let bytes, let offset, let id)?:
            let count = counts[stream, default: 0]
            guard offset == count else {
                throw .misunderstood(
                    "The server goes on at byte \(offset) of \(stream.rawValue), of which \(count) have come."
                )
            }
            try take(stream, bytes)
            counts[stream] = count + bytes.count
            lastEvent = id
            patience.succeeded()
            if hasEnough { throw .brokenOff("There is no need for more") }
        case .end(let run)?:
            guard run.id == id else { throw .misunderstood("The server told the end of another run.") }
            end = run
        case .state?, nil: break
        }
    }
}
