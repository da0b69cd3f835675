import Runs
import Testing

@testable import API

@Suite struct EventPositionTests {
    @Test(arguments: ["0-0", "4096-12", "0-7-end", "9223372036854775807-1"])
    func `what is written is read again`(text: String) throws {
        #expect(try #require(EventPosition(text)).text == text)
    }

    @Test func `a position says how far each stream is`() throws {
        let position = try #require(EventPosition("4096-12"))
        #expect(position[.standardOutput] == 4096 && position[.standardError] == 12 && !position.isEnd)
        #expect(try #require(EventPosition("1-2-end")).isEnd)
    }

    @Test(arguments: [
        "", "-", "1", "1-", "-1", "1-2-", "1-2-3", "1-2-End", "1-2-end-end", "01-2", "1-00", "+1-2", "1--2", " 1-2",
        "1-2 ",
        "9223372036854775808-1", "a-b", "１-2",
    ])
    func `anything else is none`(text: String) {
        #expect(EventPosition(text) == nil)
    }
}
