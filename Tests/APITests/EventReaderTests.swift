import HTTPServer
import JSON
import Reactor
import Runs
import Store
import Synchronization
import Testing

@testable import API
@testable import Service

@Suite struct EventReaderTests {
    /// A reader of a run that waits for its turn, on a server of its own.
    @Test(arguments: [EventFormat.serverSentEvents, .lines])
    func `a stream without events says something now and then`(format: EventFormat) async throws {
        let beats = await withCheckedContinuation { (continuation: CheckedContinuation<Int, Never>) in
            Task { @Reactor in
                let run = FollowedRun(Run.make(), source: .nothing)
                var woken = 0
                var body: ResponseStream?
                let reader = EventReader(run, after: EventPosition(), format: format, heartbeat: .milliseconds(5)) {
                    woken += 1
                    guard woken == 3 else { return }
                    body?.onEnd?()
                    body = nil
                    continuation.resume(returning: woken)
                }
                body = reader.makeBody()
            }
        }
        #expect(beats == 3)
    }

    @Test func `each form has its own lines`() {
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
    func `lines are for those who ask for them`(accept: [String], isLines: Bool) throws {
        let request = try Request(method: "GET", target: "/", headers: accept.map { HeaderField("Accept", $0) })
        #expect((EventFormat(request) == .lines) == isLines)
    }
}
