internal import HTTPServer
internal import JSON
internal import Reactor
internal import RunAPI
internal import RunModel
internal import Service
internal import System

/// The body of an event stream: the output and the state changes of one run.
///
/// The reader has no queue. It generates an event when the client takes it, from the client's position.
@ReactorActor
final class EventReader: RunSubscriber {
    private let run: RunSubscription
    private let format: EventFormat
    private let heartbeat: Duration
    private let onWake: @ReactorActor () -> Void
    private weak var body: ResponseStream?
    private var cursor: OutputCursor
    /// The last state that was sent.
    private var sentState: (state: RunState, startedAt: Timestamp?)?
    /// True if the end was sent.
    private var isOver = false
    /// The rest of an event that did not fit into the connection's buffer.
    private var rest: ArraySlice<UInt8>
    private var timer: Timer?
    private var lastTraffic = MonotonicTime.now
    private var isHeartbeatDue = false

    /// - Parameters:
    ///   - run: the run.
    ///   - position: the client's position in the events.
    ///   - format: the format of the events.
    ///   - heartbeat: the time without an event after which a heartbeat is sent.
    ///   - onWake: called when there may be more to send.
    init(
        _ run: RunSubscription,
        after position: EventPosition,
        format: EventFormat,
        heartbeat: Duration,
        onWake: @escaping @ReactorActor () -> Void
    ) {
        (self.run, self.format, self.heartbeat, self.onWake) = (run, format, heartbeat, onWake)
        cursor = OutputCursor(at: position)
        rest = format.prologue[...]
    }

    /// Subscribes to the run until the stream ends, and returns the stream.
    func makeBody() -> ResponseStream {
        let body = ResponseStream { buffer in ReactorActor.assumeIsolated { self.read(into: buffer) } }
        body.onEnd = { ReactorActor.assumeIsolated { self.end() } }
        self.body = body
        run.add(self)
        scheduleHeartbeat(at: lastTraffic.advanced(by: heartbeat))
        return body
    }

    func wake() {
        body?.wake()
        onWake()
    }

    private func end() {
        run.remove(self)
        timer?.cancel()
        timer = nil
    }

    // MARK: Heartbeats

    /// Schedules a check of the last traffic.
    ///
    /// One timer per heartbeat replaces one timer per event.
    private func scheduleHeartbeat(at time: MonotonicTime) {
        timer = ReactorActor.schedule(at: time) { [weak self] in self?.checkHeartbeat() }
    }

    private func checkHeartbeat() {
        let now = MonotonicTime.now
        let due = lastTraffic.advanced(by: heartbeat)
        guard due <= now else { return scheduleHeartbeat(at: due) }
        isHeartbeatDue = true
        scheduleHeartbeat(at: now.advanced(by: heartbeat))
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
            // The empty slice would keep the memory of the whole event.
            if rest.isEmpty { rest = [] }
            return .bytes(filled)
        }
        if run.isAbandoned { return .failure }
        return isOver ? .end : .nothingYet
    }

    private func nextEvent() throws(OutputMissing) -> [UInt8]? {
        if isOver || run.isAbandoned { return nil }
        if let state = nextState() { return state }
        if let part = try cursor.next(in: run) {
            let event = EventDocument(bytes: part.bytes, offset: part.offset)
            return format.event(part.stream.rawValue, at: cursor.position) { event.writeMembers(to: &$0) }
        }
        if run.isPersisted, cursor.isAtEnd(of: run) {
            isOver = true
            var position = cursor.position
            position.isEnd = true
            return format.event("end", at: position) { RunDocument.write(run.run, withOutput: false, to: &$0) }
        }
        guard isHeartbeatDue else { return nil }
        isHeartbeatDue = false
        return format.heartbeat
    }

    /// Returns a `state` event if the state differs from the last one sent.
    ///
    /// The end of a run is the `end` event instead.
    private func nextState() -> [UInt8]? {
        let state = (state: run.run.state, startedAt: run.run.startedAt)
        if let sentState {
            guard state.state != .finished, state != sentState else { return nil }
        } else {
            // The end of a run may only be sent when it is persistent.
            guard state.state != .finished || run.isPersisted else { return nil }
        }
        sentState = state
        return format.event("state", at: cursor.position) { RunDocument.write(run.run, withOutput: false, to: &$0) }
    }
}

/// The format of an event stream.
enum EventFormat {
    /// Server-Sent Events, <https://html.spec.whatwg.org/multipage/server-sent-events.html>.
    case serverSentEvents
    /// One JSON object per line (NDJSON), for programs without a parser of Server-Sent Events.
    case lines

    /// The time in milliseconds after which a browser reconnects.
    private static let retry = 1000

    /// Selects the format of a request: lines if `Accept` names them and does not name Server-Sent Events before.
    init(_ request: Request) {
        let types = request.headers.values(of: "Accept").flatMap { $0.split(separator: ",") }.map { type in
            type.prefix { $0 != ";" }.filter { $0 != " " && $0 != "\t" }.lowercased()
        }
        let named = types.first { $0 == "text/event-stream" || $0 == "application/x-ndjson" }
        self = named == "application/x-ndjson" ? .lines : .serverSentEvents
    }

    var contentType: String {
        switch self {
        case .serverSentEvents: "text/event-stream"
        case .lines: "application/x-ndjson"
        }
    }

    /// The bytes before the first event.
    var prologue: [UInt8] {
        switch self {
        case .serverSentEvents: Array("retry: \(Self.retry)\n\n".utf8)
        case .lines: []
        }
    }

    /// The bytes that keep a connection alive without an event: a comment, or an empty line.
    var heartbeat: [UInt8] {
        switch self {
        case .serverSentEvents: Array(": \n\n".utf8)
        case .lines: [UInt8(ascii: "\n")]
        }
    }

    /// Returns the bytes of an event.
    ///
    /// - Parameters:
    ///   - name: the type of the event.
    ///   - position: the position of a client that has received the event.
    ///   - members: writes the members of the event's data.
    /// - Returns: the bytes to send.
    func event(_ name: String, at position: EventPosition, _ members: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter()
        switch self {
        case .serverSentEvents:
            writer.object(members)
            // The JSON text contains no line breaks, so one data line is enough.
            return Array("event: \(name)\nid: \(position.text)\ndata: ".utf8) + writer.bytes + Array("\n\n".utf8)
        case .lines:
            writer.object { writer in
                writer.member("event", name)
                writer.member("id", position.text)
                // A run has an id of its own, so the run is a separate member.
                if name == "state" || name == "end" {
                    writer.member("run") { $0.object(members) }
                } else {
                    members(&writer)
                }
            }
            return writer.bytes + [UInt8(ascii: "\n")]
        }
    }
}
