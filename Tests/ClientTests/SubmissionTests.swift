import Testing

@testable import Client

@Suite struct SubmissionTests {
    private func text(_ submission: Submission) -> String { String(decoding: submission.body([], nil), as: UTF8.self) }

    @Test func `what is not asked for is left to the server`() {
        #expect(text(Submission(command: ["echo", "\"a\""])) == #"{"command":["echo","\"a\""]}"#)
    }

    @Test func `the last of a name counts, by its bytes`() {
        var submission = Submission(command: ["a"])
        submission.environment = [("A", "1"), ("B", "2"), ("A", "3"), ("e\u{301}", "4"), ("\u{e9}", "5")]
        #expect(
            text(submission)
                == "{\"command\":[\"a\"],\"env\":{\"A\":\"3\",\"B\":\"2\",\"e\u{301}\":\"4\",\"\u{e9}\":\"5\"}}"
        )
    }
}
