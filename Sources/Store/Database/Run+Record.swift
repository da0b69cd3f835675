internal import RunModel

extension Run {
    /// The version of the format, which is the first number of a record; a larger number is from a newer version of
    /// Sandglass.
    private static let recordVersion: Int64 = 1

    /// The bytes of the run in its row of the database.
    ///
    /// Of output in a file only the length is recorded: the path follows from the run's id.
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
        // A record of a version without artifacts ends here.
        let (artifacts, later) = (result?.artifacts ?? .none, laterMembers)
        if artifacts != .none || !later.isEmpty { writer.write(artifacts) }
        if !later.isEmpty { writer.write(later) }
        return writer.bytes
    }

    /// Reads a run from its ``record``.
    ///
    /// - Parameters:
    ///   - id: the run's id, which has a column of its own.
    ///   - record: the bytes of the record.
    ///   - path: returns the path of a stream's output file.
    /// - Throws: `Damage` if the bytes are not such a record.
    init(
        _ id: RunID,
        record: [UInt8],
        path: (OutputStream) -> String
    ) throws(RecordReader.Damage) {
        var reader = RecordReader(record)
        guard try reader.number() == Self.recordVersion else { throw RecordReader.Damage() }
        var specification = try RunSpecification(from: &reader)
        var enforcement = try reader.enforcement()
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
        let later = try reader.laterMembers()
        try specification.read(later)
        let (standardOutputTail, standardErrorTail) = (try later.range("stdoutTail"), try later.range("stderrTail"))
        specification.recordedFiles =
            try later.read("files") { reader throws(RecordReader.Damage) in try reader.recordedFiles() } ?? []
        let patterns = try later.read("artifactPatterns") { reader throws(RecordReader.Damage) in try reader.texts() }
        for text in patterns ?? [] {
            do { specification.artifacts.append(try Glob(text)) } catch { throw RecordReader.Damage() }
        }
        let cancellation = try later.read("cancelled") { reader throws(RecordReader.Damage) in
            try reader.cancellation()
        }
        let cpus = try later.read("enforcement.cpus") { reader throws(RecordReader.Damage) in try reader.means() }
        enforcement.cpus = cpus
        enforcement.filters = try later.read("enforcement.filters") { reader throws(RecordReader.Damage) in
            try reader.means()
        }
        let resident = try later.read("maxResidentBytes") { reader throws(RecordReader.Damage) in try reader.int() }
        let memoryAtEnd = try later.read("memoryAtEnd") { reader throws(RecordReader.Damage) in
            MemoryAtEnd(cacheBytes: try reader.int(), sharedBytes: try reader.int(), kernelBytes: try reader.int())
        }
        let result = end.map { outcome, usage, finishedAt in
            var usage = usage
            usage?.maxResidentBytes = resident
            usage?.memoryAtEnd = memoryAtEnd
            return Run.Result(
                outcome: outcome,
                usage: usage,
                finishedAt: finishedAt,
                artifacts: artifacts,
                cancellation: cancellation
            )
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
        self.standardOutput = standardOutput.with(tail: standardOutputTail)
        self.standardError = standardError.with(tail: standardErrorTail)
    }

    /// Returns the command of a run from its ``record``; `nil` if the bytes are not such a record.
    static func command(ofRecord record: [UInt8]) -> [String]? {
        var reader = RecordReader(record)
        guard (try? reader.number()) == recordVersion else { return nil }
        return try? reader.texts()
    }

    /// The members of the record that the first version did not have.
    private var laterMembers: LaterMembers {
        var members = specification.laterMembers
        if let cpus = enforcement.cpus { members.add("enforcement.cpus") { $0.write(cpus.rawValue) } }
        if let filters = enforcement.filters {
            members.add("enforcement.filters") { $0.write(filters.rawValue) }
        }
        if let resident = result?.usage?.maxResidentBytes {
            members.add("maxResidentBytes") { $0.write(resident) }
        }
        if let memory = result?.usage?.memoryAtEnd {
            members.add("memoryAtEnd") { writer in
                for bytes in [memory.cacheBytes, memory.sharedBytes, memory.kernelBytes] { writer.write(bytes) }
            }
        }
        if !specification.recordedFiles.isEmpty {
            members.add("files") { $0.write(specification.recordedFiles) }
        }
        if !specification.artifacts.isEmpty {
            members.add("artifactPatterns") { $0.write(specification.artifacts.map(\.text)) }
        }
        if let cancellation = result?.cancellation { members.add("cancelled") { $0.write(cancellation) } }
        for (name, output) in [("stdoutTail", standardOutput), ("stderrTail", standardError)] where !output.tail.isEmpty
        {
            members.add(name) { writer in
                writer.write(output.tail.lowerBound)
                writer.write(output.tail.count)
            }
        }
        return members
    }
}

extension LaterMembers {
    /// Reads the offsets of the kept end of a stream.
    fileprivate func range(_ name: String) throws(RecordReader.Damage) -> Range<Int> {
        try read(name) { reader throws(RecordReader.Damage) in
            let (start, count) = (try reader.int(), try reader.int())
            let end = start.addingReportingOverflow(count)
            guard start >= 0, count >= 0, !end.overflow else { throw RecordReader.Damage() }
            return start..<end.partialValue
        } ?? 0..<0
    }
}

extension CapturedOutput {
    fileprivate func with(tail: Range<Int>) -> CapturedOutput {
        tail.isEmpty ? self : CapturedOutput(content: content, totalBytes: totalBytes, tail: tail)
    }
}

extension RecordWriter {
    /// Writes `shutdown`, `drain`, or `client` and the client's principal.
    fileprivate mutating func write(_ cancellation: Cancellation) {
        switch cancellation {
        case .client(let principal): write(["client", principal])
        case .drain: write(["drain"])
        case .shutdown: write(["shutdown"])
        }
    }

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
        let (exitCode, signal) = (outcome.exitCode, outcome.signal)
        switch outcome.kind.description.payload {
        case .none: break
        case .exitCode: if let exitCode { write(Int64(exitCode)) }
        case .signal: if let signal { write(signal) }
        case .termination: writeTermination(exitCode, signal)
        case .optionalTermination:
            write(exitCode != nil || signal != nil)
            if exitCode != nil || signal != nil { writeTermination(exitCode, signal) }
        case .failure: if let failure = outcome.failure { write([failure.step, failure.errno, failure.detail]) }
        }
    }

    /// Writes an exit code or, without one, a signal.
    private mutating func writeTermination(_ exitCode: Int32?, _ signal: Signal?) {
        write(exitCode) { $0.write(Int64($1)) }
        if exitCode == nil, let signal { write(signal) }
    }

    fileprivate mutating func write(_ signal: Signal) {
        write(Int64(signal.number))
        write(signal.name)
        write(signal.coreDumped)
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
    fileprivate mutating func cancellation() throws(Damage) -> Cancellation {
        let words = try texts()
        switch (words.first, words.count) {
        case ("client", 2): return .client(principal: words[1])
        case ("drain", 1): return .drain
        case ("shutdown", 1): return .shutdown
        default: throw Damage()
        }
    }

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
        guard let kind = Outcome.Kind(rawValue: try text()) else { throw Damage() }
        var exitCode: Int32?
        var signal: Signal?
        var failure: Failure?
        switch kind.description.payload {
        case .none: break
        case .exitCode: exitCode = Int32(truncatingIfNeeded: try number())
        case .signal: signal = try self.signal()
        case .termination: (exitCode, signal) = try termination()
        case .optionalTermination: if try bool() { (exitCode, signal) = try termination() }
        case .failure: failure = try self.failure()
        }
        let outcome = Outcome(name: kind.rawValue, exitCode: exitCode, signal: signal, failure: failure)
        guard let outcome else { throw Damage() }
        return outcome
    }

    private mutating func signal() throws(Damage) -> Signal {
        let number = Int32(truncatingIfNeeded: try number())
        let name = try text()
        return Signal(number: number, name: name, coreDumped: try bool())
    }

    /// Reads an exit code or, without one, a signal.
    private mutating func termination() throws(Damage) -> (exitCode: Int32?, signal: Signal?) {
        let code = try optional { reader throws(Damage) in try reader.number() }
        if let code { return (Int32(truncatingIfNeeded: code), nil) }
        return (nil, try signal())
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
