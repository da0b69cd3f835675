internal import HTTPServer
internal import JSON
internal import Reactor
internal import Runs
internal import Service

/// Follows a run: what it writes to both streams and how it goes on, as events.
///
/// It has no queue. An event is made when its client takes it, from where the client is.
@Reactor
final class EventReader: RunFollower {
    private let run: FollowedRun
    private let format: EventFormat
    private let heartbeat: Duration
    private let woken: @Reactor () -> Void
    private weak var body: ResponseStream?
    private var cursor: OutputCursor
    /// The state that was told last.
    private var told: (state: RunState, startedAt: Timestamp?)?
    /// Whether the end has been told.
    private var isOver = false
    /// The rest of what was made and did not fit what the connection takes at once.
    private var rest: ArraySlice<UInt8>
    private var timer: Timer?
    private var lastTraffic = MonotonicTime.now
    private var isHeartbeatDue = false

    /// - Parameters:
    ///   - run: what is followed.
    ///   - position: what the client has been told already.
    ///   - format: how events are written.
    ///   - heartbeat: after how long without an event something is sent all the same.
    ///   - woken: called when there is more to send.
    init(
        _ run: FollowedRun,
        after position: EventPosition,
        format: EventFormat,
        heartbeat: Duration,
        woken: @escaping @Reactor () -> Void
    ) {
        (self.run, self.format, self.heartbeat, self.woken) = (run, format, heartbeat, woken)
        cursor = OutputCursor(at: position)
        rest = format.prologue[...]
    }

    /// The body; it follows the run from now on until it is over.
    func makeBody() -> ResponseStream {
        let body = ResponseStream { buffer in Reactor.assumeIsolated { self.read(into: buffer) } }
        body.onEnd = { Reactor.assumeIsolated { self.end() } }
        self.body = body
        run.add(self)
        awaitHeartbeat(at: lastTraffic.advanced(by: heartbeat))
        return body
    }

    func wake() {
        body?.wake()
        woken()
    }

    private func end() {
        run.remove(self)
        timer?.cancel()
        timer = nil
    }

    // MARK: Heartbeats

    /// One timer that looks how long ago something was sent, instead of one for each thing sent.
    private func awaitHeartbeat(at time: MonotonicTime) {
        timer = Reactor.schedule(at: time) { [weak self] in self?.beat() }
    }

    private func beat() {
        let now = MonotonicTime.now
        let due = lastTraffic.advanced(by: heartbeat)
        guard due <= now else { return awaitHeartbeat(at: due) }
        isHeartbeatDue = true
        awaitHeartbeat(at: now.advanced(by: heartbeat))
        wake()
    }

    // MARK: Events

    private func read(into buffer: UnsafeMutableRawBufferPointer) -> ResponseStream.Part {
        var filled = 0
        do throws(OutputMissing) {
            while filled < buffer.count {
                if rest.isEmpty {
                    guard let next = try nextEvent() else { break }
                    rest = next[...]
                }
                let count = min(rest.count, buffer.count - filled)
                UnsafeMutableRawBufferPointer(rebasing: buffer[filled..<filled + count])
                    .copyBytes(from: rest.prefix(count))
                rest = rest.dropFirst(count)
                filled += count
            }
        } catch { return .failure }
        if filled > 0 {
            lastTraffic = .now
            isHeartbeatDue = false
            // What it was cut from goes, too.
            if rest.isEmpty { rest = [] }
            return .bytes(filled)
        }
        if run.isGone { return .failure }
        return isOver ? .end : .nothingYet
    }

    private func nextEvent() throws(OutputMissing) -> [UInt8]? {
        if isOver || run.isGone { return nil }
        if let state = nextState() { return state }
        if let part = try cursor.next(in: run) {
            return format.event(part.stream.rawValue, at: cursor.position) { Self.write(part, to: &$0) }
        }
        if run.isSettled, cursor.isAtEnd(of: run) {
            isOver = true
            var position = cursor.position
            position.isEnd = true
            return format.event("end", at: position) { RunDocument.write(run.run, withOutput: false, to: &$0) }
        }
        guard isHeartbeatDue else { return nil }
        isHeartbeatDue = false
        return format.heartbeat
    }

    /// How the run stands, if that is news; the end is not told here but as the last event.
    private func nextState() -> [UInt8]? {
        let state = (state: run.run.state, startedAt: run.run.startedAt)
        if let told {
            guard state.state != .finished, state != told else { return nil }
        } else {
            // A run's end may be told once it is remembered.
            guard state.state != .finished || run.isSettled else { return nil }
        }
        told = state
        return format.event("state", at: cursor.position) { RunDocument.write(run.run, withOutput: false, to: &$0) }
    }

    private static func write(_ part: OutputCursor.Part, to document: inout JSONWriter) {
        if UTF8Validation.isValid(part.bytes) {
            document.member("text", utf8: part.bytes)
            document.member("encoding", "utf-8")
        } else {
            document.member("text", base64: part.bytes)
            document.member("encoding", "base64")
        }
        document.member("offset", part.offset)
    }
}
