package import RunModel
package import System

extension RunSpecification {
    /// The number of limits in this part of a record: the first rows of ``Limits/table``.
    ///
    /// Databases of earlier versions are read without a conversion, so this number stays. A limit that is added to the
    /// table has to be added to ``laterMembers``, which both ``record`` and ``Run/record`` write.
    private static let recordedLimits = 7

    /// Writes the part that is kept after the run has finished: everything except blobs and files.
    func write(to writer: inout RecordWriter) {
        writer.write(command)
        // The trace survives a restart as the variables that the command gets.
        writer.write(ownEnvironment)
        writer.write(workingDirectory)
        writer.write(standardInput.bytes ?? [])
        // A loop over the span borrows each row, but a loop over the array would copy each row.
        let table = Limits.table
        let rows = table.span
        for index in 0..<Self.recordedLimits {
            switch rows[index].value {
            case .seconds(let get, _): writer.write(get(limits))
            case .number(_, let get, _): writer.write(get(limits))
            // It is among the later members.
            case .decimal: break
            }
        }
        writer.write(grace)
        writer.write(onOutputLimit.rawValue)
        writer.write(image)
        writer.write(network.rawValue)
        writer.write(labels)
    }

    /// Reads the part that ``write(to:)`` wrote.
    init(from reader: inout RecordReader) throws(RecordReader.Damage) {
        let command = try reader.texts()
        let environment = try reader.pairs()
        let workingDirectory = try reader.text()
        let standardInput = try reader.bytes()
        var limits = Limits()
        for limit in Limits.table.prefix(Self.recordedLimits) {
            switch limit.value {
            case .seconds(_, let set): set(&limits, try reader.duration())
            case .number(_, _, let set): set(&limits, try reader.int())
            case .decimal: break
            }
        }
        let grace = try reader.duration()
        guard let policy = OutputLimitPolicy(rawValue: try reader.text()) else { throw RecordReader.Damage() }
        let image = try reader.text()
        guard let network = RunNetwork(rawValue: try reader.text()) else { throw RecordReader.Damage() }
        self.init(
            command: command,
            environment: environment,
            workingDirectory: workingDirectory,
            standardInput: .bytes(standardInput),
            limits: limits,
            grace: grace,
            onOutputLimit: policy,
            image: image,
            network: network,
            labels: try reader.pairs()
        )
    }

    /// The bytes of the complete specification, from which the run can be started, now or after a restart of the
    /// server.
    var record: [UInt8] {
        var writer = RecordWriter()
        write(to: &writer)
        // A record of a version without files and blobs ends here.
        let later = laterMembers
        guard standardInput.blob != nil || !files.isEmpty || !artifacts.isEmpty || !later.isEmpty else {
            return writer.bytes
        }
        writer.write(standardInput.blob) { $0.write($1) }
        writer.write(files.count)
        for file in files {
            writer.write(file)
        }
        // A record of a version without artifacts ends here.
        if !artifacts.isEmpty || !later.isEmpty { writer.write(artifacts.map(\.text)) }
        if !later.isEmpty { writer.write(later) }
        return writer.bytes
    }

    /// Reads a specification from its ``record``.
    ///
    /// - Throws: `Damage` if the bytes are not such a record.
    init(record: [UInt8]) throws(RecordReader.Damage) {
        var reader = RecordReader(record)
        try self.init(from: &reader)
        guard !reader.isAtEnd else { return }
        if let blob = try reader.optional({ reader throws(RecordReader.Damage) in try reader.text() }) {
            standardInput = .blob(sha256: blob)
        }
        for _ in 0..<max(try reader.int(), 0) {
            files.append(try reader.file())
        }
        guard !reader.isAtEnd else { return }
        for text in try reader.texts() {
            do { artifacts.append(try Glob(text)) } catch { throw RecordReader.Damage() }
        }
        try read(reader.laterMembers())
    }

    // MARK: Members of later versions

    /// The members that the first version did not have, except those with their default.
    var laterMembers: LaterMembers {
        var members = LaterMembers()
        var byDefault = Limits()
        byDefault.memoryBytes = limits.memoryBytes
        if limits.stackBytes != byDefault.stackBytes { members.add("stackBytes") { $0.write(limits.stackBytes) } }
        if let cpus = limits.cpus { members.add("cpus") { $0.write(Int64(bitPattern: cpus.bitPattern)) } }
        if mergesStandardError { members.add("mergeStderr") { $0.write(true) } }
        if keepOutput != .head { members.add("keepOutput") { $0.write(keepOutput.rawValue) } }
        return members
    }

    /// Reads ``laterMembers``.
    mutating func read(_ members: LaterMembers) throws(RecordReader.Damage) {
        let stack = try members.read("stackBytes") { reader throws(RecordReader.Damage) in try reader.int() }
        if let stack { limits.stackBytes = stack }
        let cpus = try members.read("cpus") { reader throws(RecordReader.Damage) in try reader.number() }
        limits.cpus = cpus.map { Double(bitPattern: UInt64(bitPattern: $0)) }
        mergesStandardError = try members.read("mergeStderr") { _ in true } ?? false
        let keep = try members.read("keepOutput") { reader throws(RecordReader.Damage) in try reader.text() }
        if let keep {
            guard let keepOutput = KeepOutput(rawValue: keep) else { throw RecordReader.Damage() }
            self.keepOutput = keepOutput
        }
    }
}

extension RunSpecification {
    /// The digest by which an earlier result of the same run is found.
    ///
    /// Two specifications have the same digest if they agree in command, environment, working directory, input,
    /// limits, grace period, output limit policy, image and network. Labels and trace do not count, because they serve
    /// to find a run. An image counts by its name.
    package var digest: SHA256Digest {
        var same = self
        same.labels = [:]
        same.trace = nil
        // A variable that is set to its default makes no difference.
        same.environment = same.fullEnvironment
        return SHA256Digest(of: same.record)
    }
}
