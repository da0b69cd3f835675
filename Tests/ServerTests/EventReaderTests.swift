import HTTPServer
import JSON
import Reactor
import RunModel
import Store
import Synchronization
import TestSupport
import Testing

@testable import Server
@testable import Service

@Suite struct EventReaderTests {
    @Test(arguments: [EventFormat.serverSentEvents, .lines])
    func `a stream without events sends heartbeats`(format: EventFormat) async throws {
        let beats = await withCheckedContinuation { (continuation: CheckedContinuation<Int, Never>) in
            Task { @ReactorActor in
                let run = RunSubscription(Run.make(), source: .nothing)
                var wakes = 0
                var body: ResponseStream?
                let reader = EventReader(run, after: EventPosition(), format: format, heartbeat: .milliseconds(5)) {
                    wakes += 1
                    guard wakes == 3 else { return }
                    body?.onEnd?()
                    body = nil
                    continuation.resume(returning: wakes)
                }
                body = reader.makeBody()
            }
        }
        #expect(beats == 3)
    }

    @Test func `each format has its own syntax`() {
        var position = EventPosition()
        position[.standardError] = 3
        let sent = EventFormat.serverSentEvents.event("stderr", at: position) { $0.member("text", "a\nb") }
        #expect(String(decoding: sent, as: UTF8.self) == "event: stderr\nid: 0-3\ndata: {\"text\":\"a\\nb\"}\n\n")
        let line = EventFormat.lines.event("stderr", at: position) { $0.member("text", "a\nb") }
        #expect(String(decoding: line, as: UTF8.self) == "{\"event\":\"stderr\",\"id\":\"0-3\",\"text\":\"a\\nb\"}\n")
        let end = EventFormat.lines.event("end", at: position) { $0.member("id", "x") }
        #expect(String(decoding: end, as: UTF8.self) == "{\"event\":\"end\",\"id\":\"0-3\",\"run\":{\"id\":\"x\"}}\n")
    }

    @Test(
        arguments: [
            ([], false), (["*/*"], false), (["text/event-stream"], false), (["application/x-ndjson"], true),
            (["application/x-ndjson;q=0.9, */*"], true), (["text/event-stream, application/x-ndjson"], false),
            (["text/html", "Application/X-NDJSON"], true),
        ] as [([String], Bool)]
    )
    func `lines are sent to clients that request them`(accept: [String], isLines: Bool) throws {
        let request = try Request(method: "GET", target: "/", headers: accept.map { HeaderField("Accept", $0) })
        #expect((EventFormat(request) == .lines) == isLines)
    }
}
