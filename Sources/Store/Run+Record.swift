internal import Runs

extension Run {
    /// The first number of a record; a record with another one is from a younger program.
    private static let recordVersion: Int64 = 1

    /// What a row keeps of it.
    ///
    /// Output that is in a file is named by its length: the path follows from the run.
    var record: [UInt8] {
        var writer = RecordWriter()
        writer.write(Self.recordVersion)
        specification.write(to: &writer)
        writer.write(enforcement)
        writer.write(createdAt.millisecondsSince1970)
        writer.write(startedAt) { $0.write($1.millisecondsSince1970) }
        writer.write(state.rawValue)
        writer.write(result) { writer, result in
            writer.write(result.outcome)
            writer.write(result.usage) { $0.write($1) }
            writer.write(result.finishedAt.millisecondsSince1970)
        }
        writer.write(standardOutput)
        writer.write(standardError)
        // A record of a program that knew of none ends here.
        if let artifacts = result?.artifacts, artifacts != .none { writer.write(artifacts) }
        return writer.bytes
    }

    /// Reads a record.
    ///
    /// - Parameters:
    ///   - id: its name, which stands in a column of its own.
    ///   - record: what ``record`` gave.
    ///   - path: where the output of a stream is.
    /// - Throws: it is no such record.
    init(
        _ id: RunID,
        record: [UInt8],
        path: (OutputStream) -> String
    ) throws(RecordReader.Damage) {
        var reader = RecordReader(record)
        guard try reader.number() == Self.recordVersion else { throw RecordReader.Damage() }
        let specification = try RunSpecification(from: &reader)
        let enforcement = try reader.enforcement()
        let createdAt = Timestamp(millisecondsSince1970: try reader.number())
        let startedAt = try reader.optional { reader throws(RecordReader.Damage) in
            Timestamp(millisecondsSince1970: try reader.number())
        }
        guard let state = RunState(rawValue: try reader.text()) else { throw RecordReader.Damage() }
        let end = try reader.optional { reader throws(RecordReader.Damage) in
            let outcome = try reader.outcome()
            let usage = try reader.optional { reader throws(RecordReader.Damage) in try reader.usage() }
            return (outcome, usage, Timestamp(millisecondsSince1970: try reader.number()))
        }
        let standardOutput = try reader.output(path(.standardOutput))
        let standardError = try reader.output(path(.standardError))
        let artifacts = reader.isAtEnd ? .none : try reader.artifacts()
        let result = end.map { outcome, usage, finishedAt in
            Run.Result(outcome: outcome, usage: usage, finishedAt: finishedAt, artifacts: artifacts)
        }
        self.init(
            id: id,
            specification: specification,
            enforcement: enforcement,
            createdAt: createdAt,
            startedAt: startedAt,
            state: state,
            result: result
        )
        self.standardOutput = standardOutput
        self.standardError = standardError
    }
}

extension RecordWriter {
    fileprivate mutating func write(_ enforcement: Enforcement) {
        for means in [
            enforcement.memory, enforcement.processes, enforcement.cpu, enforcement.network, enforcement.filesystem,
            enforcement.syscalls,
        ] {
            write(means.rawValue)
        }
    }

    fileprivate mutating func write(_ outcome: Outcome) {
        write(outcome.name)
        switch outcome {
        case .exited(let code): write(Int64(code))
        case .signaled(let signal), .cpuLimit(let signal): write(signal)
        case .timedOut(let ending), .outputLimit(let ending): write(ending)
        case .cancelled(let ending): write(ending) { $0.write($1) }
        case .memoryLimit, .lost: break
        case .startFailed(let failure), .internalError(let failure):
            write([failure.step, failure.errno, failure.detail])
        }
    }

    fileprivate mutating func write(_ signal: Signal) {
        write(Int64(signal.number))
        write(signal.name)
        write(signal.coreDumped)
    }

    fileprivate mutating func write(_ ending: Ending) {
        write(ending.exitCode) { $0.write(Int64($1)) }
        if let signal = ending.signal { write(signal) }
    }

    fileprivate mutating func write(_ usage: Usage) {
        write(usage.wall)
        write(usage.user) { $0.write($1) }
        write(usage.system) { $0.write($1) }
        write(usage.peakMemoryBytes) { $0.write($1) }
        write(usage.queued) { $0.write($1) }
    }

    fileprivate mutating func write(_ output: CapturedOutput) {
        write(output.totalBytes)
        switch output.content {
        case .bytes(let bytes):
            write(false)
            write(bytes)
        case .file(_, let count):
            write(true)
            write(count)
        }
    }
}

extension RecordReader {
    fileprivate mutating func means() throws(Damage) -> Enforcement.Means {
        guard let means = Enforcement.Means(rawValue: try text()) else { throw Damage() }
        return means
    }

    fileprivate mutating func enforcement() throws(Damage) -> Enforcement {
        Enforcement(
            memory: try means(),
            processes: try means(),
            cpu: try means(),
            network: try means(),
            filesystem: try means(),
            syscalls: try means()
        )
    }

    fileprivate mutating func outcome() throws(Damage) -> Outcome {
        switch try text() {
        case "exited": return .exited(code: Int32(truncatingIfNeeded: try number()))
        case "signaled": return .signaled(try signal())
        case "timed_out": return .timedOut(try ending())
        case "cpu_limit": return .cpuLimit(try signal())
        case "memory_limit": return .memoryLimit
        case "output_limit": return .outputLimit(try ending())
        case "cancelled":
            return .cancelled(try optional { reader throws(Damage) in try reader.ending() })
        case "lost": return .lost
        case "start_failed": return .startFailed(try failure())
        case "internal_error": return .internalError(try failure())
        default: throw Damage()
        }
    }

    private mutating func signal() throws(Damage) -> Signal {
        let number = Int32(truncatingIfNeeded: try number())
        let name = try text()
        return Signal(number: number, name: name, coreDumped: try bool())
    }

    private mutating func ending() throws(Damage) -> Ending {
        let code = try optional { reader throws(Damage) in try reader.number() }
        if let code { return .exitCode(Int32(truncatingIfNeeded: code)) }
        return .signal(try signal())
    }

    private mutating func failure() throws(Damage) -> Failure {
        let parts = try texts()
        guard parts.count == 3 else { throw Damage() }
        return Failure(step: parts[0], errno: parts[1], detail: parts[2])
    }

    fileprivate mutating func usage() throws(Damage) -> Usage {
        let wall = try duration()
        let user = try optional { reader throws(Damage) in try reader.duration() }
        let system = try optional { reader throws(Damage) in try reader.duration() }
        let peak = try optional { reader throws(Damage) in try reader.int() }
        let queued = try optional { reader throws(Damage) in try reader.duration() }
        return Usage(wall: wall, user: user, system: system, peakMemoryBytes: peak, queued: queued)
    }

    fileprivate mutating func output(_ path: String) throws(Damage) -> CapturedOutput {
        let total = try int()
        let content: CapturedOutput.Content =
            try bool() ? .file(path: path, count: try int()) : .bytes(try bytes())
        return CapturedOutput(content: content, totalBytes: total)
    }
}
