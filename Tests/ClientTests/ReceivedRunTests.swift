import JSON
import RunAPI
import RunModel
import Testing

@testable import Client

@Suite struct ReceivedRunTests {
    private func run(_ members: String) throws -> ReceivedRun {
        let text = #"{"id": "01M82SD0SKBQ831DSGRR58G3G2", "state": "finished"\#(members)}"#
        return try ReceivedRun(try JSONParser.parse(Array(text.utf8)))
    }

    @Test func `outcomes are decoded`() throws {
        let kill = #""signal": {"number": 9, "name": "SIGKILL", "coreDumped": false}"#
        let cases: [(String, Outcome?)] = [
            (#", "outcome": "exited", "exitCode": 3"#, .exited(code: 3)),
            (#", "outcome": "signaled", \#(kill)"#, .signaled(.kill)),
            (#", "outcome": "timed_out", \#(kill)"#, .timedOut(.signal(.kill))),
            (#", "outcome": "timed_out", "exitCode": 4"#, .timedOut(.exitCode(4))),
            (#", "outcome": "cpu_limit", \#(kill)"#, .cpuLimit(.kill)), (#", "outcome": "memory_limit""#, .memoryLimit),
            (#", "outcome": "output_limit", \#(kill)"#, .outputLimit(.signal(.kill))),
            (#", "outcome": "cancelled""#, .cancelled(nil)), (#", "outcome": "lost""#, .lost),
            (
                #", "outcome": "start_failed", "error": {"step": "exec", "errno": "ENOENT", "detail": "d"}"#,
                .startFailed(Failure(step: "exec", errno: "ENOENT", detail: "d"))
            ), (#", "outcome": "of_a_newer_version""#, nil), (#", "outcome": "exited""#, nil),
            (#", "outcome": null"#, nil),
        ]
        for (members, outcome) in cases { #expect(try run(members).outcome == outcome, "\(members)") }
    }

    @Test func `artifacts and omissions are decoded`() throws {
        let digest = String(repeating: "0a", count: 32)
        let run = try run(
            #", "artifacts": [{"path": "a", "bytes": 1, "sha256": "\#(digest)", "executable": true, "more": 1}]"#
                + #", "omittedArtifacts": [{"path": "b", "reason": "too_large", "detail": "it is"}, {"path": "c"}]"#
        )
        #expect(run.artifacts.map(\.path) == ["a"])
        guard case .regular(_, _, let isExecutable) = run.artifacts.first?.kind else {
            Issue.record("the artifact is not a file")
            return
        }
        #expect(isExecutable)
        #expect(run.omissions == ["b was not kept: too_large, it is", "c was not kept"])
    }

    @Test(arguments: [
        #", "artifacts": [{"path": "a"}]"#, #", "artifacts": [1]"#,
        #", "artifacts": [{"path": "a", "bytes": -1, "sha256": "00"}]"#,
        #", "artifacts": [{"path": "a", "symlink": 1}]"#,
        #", "artifacts": [{"path": "a", "directory": false}]"#, #", "artifacts": [{"symlink": "a"}]"#,
    ])
    func `an invalid artifact is refused`(members: String) {
        #expect(throws: ClientError.self) { try run(members) }
    }
}
