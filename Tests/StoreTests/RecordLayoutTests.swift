import RunModel
import System
import Testing

@testable import Store

/// The bytes of records that an earlier version wrote.
///
/// Databases are not converted when Sandglass is upgraded, so these bytes must stay.
@Suite struct RecordLayoutTests {
    private static let failure = Failure(step: "exec", errno: "ENOENT", detail: "d")

    /// The bytes of ``specification`` without files and artifacts.
    private static let specificationBytes =
        "06047368042d630c6578697420330202410231082f746d7004696e008080a8ec85afd1b101060080808001040680400a0200086b696c6c"
        + "08686f7374086e6f6e65020c6272616e6368086d61696e"

    private var specification: RunSpecification {
        RunSpecification(
            command: ["sh", "-c", "exit 3"],
            environment: ["A": "1"],
            workingDirectory: "/tmp",
            standardInput: .bytes(Array("in".utf8)),
            limits: Limits(
                timeout: .milliseconds(50),
                cpu: .seconds(3),
                memoryBytes: 1 << 20,
                processes: 2,
                outputBytes: 3,
                diskBytes: 4096,
                openFiles: 5
            ),
            grace: .seconds(1),
            onOutputLimit: .kill,
            labels: ["branch": "main"]
        )
    }

    private func withFiles() throws -> RunSpecification {
        var specification = specification
        specification.files = [RunFile(path: "a/b", content: [0, 255], isExecutable: true)]
        specification.artifacts = [try Glob("out/**")]
        return specification
    }

    @Test func `a specification has the bytes of earlier versions`() throws {
        #expect(Self.hexadecimal(specification.record) == Self.specificationBytes)
        let bytes = Self.specificationBytes + "000206612f6202000400ff020c6f75742f2a2a"
        #expect(Self.hexadecimal(try withFiles().record) == bytes)
        #expect(try RunSpecification(record: Self.bytes(bytes)) == withFiles())
    }

    @Test(arguments: Limits.table.indices)
    func `every limit survives in a record and counts in the digest`(row: Int) throws {
        var changed = specification
        switch Limits.table[row].value {
        case .seconds(let get, let set): set(&changed.limits, get(changed.limits) + .seconds(1))
        case .number(_, let get, let set): set(&changed.limits, get(changed.limits) + 4096)
        case .decimal(_, _, let set): set(&changed.limits, 1.75)
        }
        #expect(changed.digest != specification.digest)
        #expect(try RunSpecification(record: changed.record) == changed)
    }

    /// A specification as it is recorded with a run, with every kind of file.
    private func recorded() throws -> RunSpecification {
        var recorded = specification
        recorded.standardInput = .empty
        recorded.environment = [:]
        recorded.artifacts = [try Glob("out/**")]
        let content = RecordedFile.Content(bytes: 5, sha256: "ab")
        recorded.recordedFiles = [
            RecordedFile(path: "a", kind: .regular(content, isExecutable: false)),
            RecordedFile(path: "b", kind: .regular(.init(bytes: nil, sha256: "cd"), isExecutable: true)),
            RecordedFile(path: "c", kind: .directory), RecordedFile(path: "d", kind: .symbolicLink(target: "a")),
            RecordedFile(path: ".", kind: .archive(content)),
        ]
        return recorded
    }

    @Test func `members of later versions survive in the records of a run`() throws {
        var changed = try withFiles()
        changed.mergesStandardError = true
        changed.keepOutput = .both
        #expect(changed.digest != (try withFiles().digest))
        #expect(try RunSpecification(record: changed.record) == changed)
        let id = try #require(RunID("01ARYZ6S41TSV4RRFFQ69G5FAV"))
        var merging = specification
        merging.mergesStandardError = true
        var run = Run(
            id: id,
            specification: merging,
            enforcement: .minimum,
            createdAt: Timestamp(millisecondsSince1970: 1000)
        )
        run.commandStarted(at: Timestamp(millisecondsSince1970: 1001))
        let usage = Usage(
            wall: .zero,
            user: nil,
            system: nil,
            peakMemoryBytes: nil,
            maxResidentBytes: 5,
            memoryAtEnd: MemoryAtEnd(cacheBytes: 6, sharedBytes: 7, kernelBytes: 8)
        )
        run.finish(
            Run.Result(outcome: .exited(code: 0), usage: usage, finishedAt: Timestamp(millisecondsSince1970: 2000))
        )
        run = Run(
            id: id,
            specification: try recorded(),
            enforcement: .minimum,
            createdAt: Timestamp(millisecondsSince1970: 1000),
            startedAt: nil,
            state: .finished,
            result: Run.Result(
                outcome: .cancelled(nil),
                usage: nil,
                finishedAt: Timestamp(millisecondsSince1970: 2000),
                cancellation: .client(principal: "é")
            )
        )
        run.standardOutput = CapturedOutput(content: .file(path: "", count: 5), totalBytes: 100, tail: 97..<100)
        #expect(try Run(id, record: run.record) { _ in "" } == run)
    }

    @Test func `a specification has the digest of earlier versions`() throws {
        #expect(
            try withFiles().digest.hexadecimal == "b6fd1e1cb21280531ab6c512d83fb31f7e5312b8976ae4d51653946a15c73376"
        )
    }

    @Test(
        arguments: [
            (.exited(code: 3), "0c65786974656406"),
            (.signaled(.kill), "107369676e616c6564120e5349474b494c4c00"),
            (.timedOut(.exitCode(7)), "1274696d65645f6f7574020e"),
            (.timedOut(.signal(.kill)), "1274696d65645f6f757400120e5349474b494c4c00"),
            (.cpuLimit(.kill), "126370755f6c696d6974120e5349474b494c4c00"),
            (.memoryLimit, "186d656d6f72795f6c696d6974"),
            (.outputLimit(.signal(.kill)), "186f75747075745f6c696d697400120e5349474b494c4c00"),
            (.cancelled(nil), "1263616e63656c6c656400"),
            (.cancelled(.exitCode(1)), "1263616e63656c6c6564020202"),
            (.lost, "086c6f7374"),
            (.startFailed(failure), "1873746172745f6661696c65640608657865630c454e4f454e540264"),
            (.internalError(failure), "1c696e7465726e616c5f6572726f720608657865630c454e4f454e540264"),
        ] as [(Outcome, String)]
    )
    func `a finished run has the bytes of earlier versions`(outcome: Outcome, bytes: String) throws {
        let id = try #require(RunID("01ARYZ6S41TSV4RRFFQ69G5FAV"))
        var run = Run(
            id: id,
            specification: specification,
            enforcement: .minimum,
            createdAt: Timestamp(millisecondsSince1970: 1000)
        )
        run.commandStarted(at: Timestamp(millisecondsSince1970: 1001))
        run.finish(Run.Result(outcome: outcome, usage: nil, finishedAt: Timestamp(millisecondsSince1970: 2000)))
        let record =
            "02" + Self.specificationBytes
            + "086e6f6e650c726c696d69740c726c696d6974126e616d657370616365126e616d657370616365086e6f6e65"
            + "d00f02d20f1066696e697368656402" + bytes + "00a01f000000000000"
        #expect(Self.hexadecimal(run.record) == record)
        #expect(try Run(id, record: Self.bytes(record)) { _ in "" } == run)
    }

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private static func bytes(_ hexadecimal: String) -> [UInt8] {
        let digits = hexadecimal.compactMap(\.hexDigitValue)
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}
