import RunModel
import Testing

@testable import Store

struct RecordCodingTests {
    private static let signal = Signal(number: 11, name: "SIGSEGV", coreDumped: true)
    private static let failure = Failure(step: "exec", errno: "ENOENT", detail: "no such file")

    static let outcomes: [Outcome] = [
        .exited(code: 255), .signaled(signal), .timedOut(.signal(.kill)), .timedOut(.exitCode(3)), .cpuLimit(signal),
        .memoryLimit, .outputLimit(.signal(.kill)), .cancelled(nil), .cancelled(.exitCode(0)), .lost,
        .startFailed(failure), .internalError(failure),
    ]

    private func decoded(_ run: Run) throws -> Run { try Run(run.id, record: run.record) { "/out/\($0.rawValue)" } }

    @Test(arguments: outcomes) func `a finished run is decoded as it was encoded`(outcome: Outcome) throws {
        var run = Run.make(1_700_000_000_123)
        run.commandStarted(at: Timestamp(millisecondsSince1970: 1_700_000_000_124))
        run.standardOutput = CapturedOutput(content: .bytes([0, 255, 10]), totalBytes: 1 << 40)
        run.standardError = CapturedOutput(content: .file(path: "/out/stderr", count: 9000), totalBytes: 9000)
        let usage = Usage(
            wall: .nanoseconds(1_234_567_891),
            user: .microseconds(3),
            system: nil,
            peakMemoryBytes: 1 << 33,
            queued: .seconds(86_400)
        )
        run.finish(Run.Result(outcome: outcome, usage: usage, finishedAt: Timestamp(millisecondsSince1970: -1)))
        #expect(try decoded(run) == run)
    }

    @Test func `artifacts are decoded as they were encoded`() throws {
        let artifacts = CollectedArtifacts(
            kept: [
                Artifact(path: "a\n/é", bytes: 1 << 40, sha256: "ab", isExecutable: true),
                Artifact(path: "b", bytes: 0, sha256: "", isExecutable: false),
                Artifact(path: "l", kind: .symbolicLink(target: "../é")), Artifact(path: "d", kind: .directory),
            ],
            omitted: OmittedArtifact.Reason.allCases.map { OmittedArtifact(path: "x", reason: $0, detail: "y") },
            omittedCount: 1 << 33
        )
        var run = Run.make(1)
        run.finish(
            Run.Result(
                outcome: .lost,
                usage: nil,
                finishedAt: Timestamp(millisecondsSince1970: 2),
                artifacts: artifacts
            )
        )
        #expect(try decoded(run) == run)
    }

    @Test func `a queued run is decoded as it was encoded`() throws {
        let run = Run.make(0)
        #expect(try decoded(run) == run)
    }

    @Test func `a specification is decoded as it was encoded`() throws {
        var request = RunSpecification(
            command: ["sh", "-c", "", "ü\u{0}"],
            environment: ["A": "1", "": "é"],
            workingDirectory: "/tmp",
            standardInput: .bytes((0...255).map { UInt8($0) }),
            limits: Limits(timeout: .milliseconds(50), cpu: .seconds(3), memoryBytes: 1, processes: 2, outputBytes: 3),
            grace: .seconds(1),
            onOutputLimit: .kill,
            image: "python",
            network: .host,
            labels: ["branch": "main"]
        )
        request.limits.diskBytes = 4
        request.limits.openFiles = 5
        request.files = [
            RunFile(path: "a/b", content: [0, 255], isExecutable: true),
            RunFile(path: "c", content: .blob(sha256: "ab")),
            RunFile(path: "l", kind: .symbolicLink(target: "../é")), RunFile(path: "d", kind: .directory),
            RunFile(path: "t", kind: .archive([1])), RunFile(path: ".", kind: .archive(.blob(sha256: "ab"))),
        ]
        let read = try RunSpecification(record: request.record)
        #expect(read == request)
        #expect(read.record == request.record)
        #expect(read.command == request.command && read.limits.cpu == .seconds(3) && read.labels == request.labels)
        request.standardInput = .blob(sha256: "cd")
        #expect(try RunSpecification(record: request.record) == request)
        request.artifacts = [try Glob("out/**"), try Glob("[a-z]?")]
        #expect(try RunSpecification(record: request.record) == request)
        (request.files, request.standardInput) = ([], .empty)
        #expect(try RunSpecification(record: request.record) == request)
    }

    @Test func `a specification without files and blobs has the format from before both existed`() throws {
        let request = RunSpecification(command: ["true"])
        var reader = RecordReader(request.record)
        _ = try RunSpecification(from: &reader)
        #expect(reader.isAtEnd)
        #expect(try RunSpecification(record: request.record).files.isEmpty)
    }

    @Test func `a decoded specification has its trace context in its environment`() throws {
        let trace = TraceContext(
            parents: ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
            states: ["a=b"]
        )
        var traced = RunSpecification(command: ["true"], environment: ["A": "1"])
        traced.trace = trace
        var reader = RecordReader(traced.record)
        let read = try RunSpecification(from: &reader)
        #expect(read.environment == ["A": "1", "TRACEPARENT": try #require(trace).parent, "TRACESTATE": "a=b"])
        #expect(read.fullEnvironment == traced.fullEnvironment)
    }

    @Test func `a record that is truncated anywhere is an error`() {
        let record = Run.make(1).finished(.startFailed(Self.failure)).record
        for length in 0..<record.count {
            #expect(throws: RecordReader.Damage.self) {
                try Run(Run.make(1).id, record: Array(record.prefix(length))) { _ in "" }
            }
        }
    }

    @Test func `numbers of every size are decoded as they were encoded`() throws {
        for number in [0, 1, -1, 63, 64, -64, -65, 1 << 31, .max, .min] as [Int64] {
            var writer = RecordWriter()
            writer.write(number)
            var reader = RecordReader(writer.bytes)
            #expect(try reader.number() == number)
        }
    }

    @Test func `run ids sort like their bytes`() throws {
        let ids = [Run.make(1).id, Run.make(256).id, Run.make(1_700_000_000_000).id]
        #expect(ids.map { RunID(bytes: $0.bytes) } == ids)
        #expect(ids.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) } == ids)
        #expect(RunID(bytes: [1, 2]) == nil)
    }
}
