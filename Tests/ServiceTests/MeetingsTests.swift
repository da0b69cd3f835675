import Reactor
import Testing

@testable import Service

struct MeetingsTests {
    @Test func `the first one finds out, and the others are told in their order`() async {
        let heard = await Task { @Reactor in
            var meetings = Meetings<String, Int>()
            var heard: [String] = []
            #expect(meetings.isFirst("a") { _ in heard.append("first") })
            #expect(!meetings.isFirst("a") { heard.append("second \($0)") })
            #expect(!meetings.isFirst("a") { heard.append("third \($0)") })
            #expect(meetings.isFirst("b") { _ in heard.append("of b") })
            for listener in meetings.end("a") { listener(7) }
            return heard
        }.value
        #expect(heard == ["second 7", "third 7"])
    }

    @Test func `what has been found out is found out again by the next one`() async {
        await Task { @Reactor in
            var meetings = Meetings<String, Int>()
            #expect(meetings.isFirst("a") { _ in })
            #expect(meetings.end("a").isEmpty)
            #expect(meetings.isFirst("a") { _ in })
        }.value
    }
}
