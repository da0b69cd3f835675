internal import Runs

extension RunSpecification {
    /// What is remembered of it when it is over: all but the blobs and files that it was given.
    func write(to writer: inout RecordWriter) {
        writer.write(command)
        // The trace outlives a restart as what it is to the command.
        writer.write(ownEnvironment)
        writer.write(workingDirectory)
        writer.write(standardInput.bytes ?? [])
        writer.write(limits.timeout)
        writer.write(limits.cpu)
        writer.write(limits.memoryBytes)
        writer.write(limits.processes)
        writer.write(limits.outputBytes)
        writer.write(limits.diskBytes)
        writer.write(limits.openFiles)
        writer.write(grace)
        writer.write(onOutputLimit.rawValue)
        writer.write(image)
        writer.write(network.rawValue)
        writer.write(labels)
    }

    init(from reader: inout RecordReader) throws(RecordReader.Damage) {
        let command = try reader.texts()
        let environment = try reader.pairs()
        let workingDirectory = try reader.text()
        let standardInput = try reader.bytes()
        let limits = Limits(
            timeout: try reader.duration(),
            cpu: try reader.duration(),
            memoryBytes: try reader.int(),
            processes: try reader.int(),
            outputBytes: try reader.int(),
            diskBytes: try reader.int(),
            openFiles: try reader.int()
        )
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

    /// All that it takes to run it, now or after the next start.
    var record: [UInt8] {
        var writer = RecordWriter()
        write(to: &writer)
        // A record of a program that knew none of these ends here.
        guard standardInput.blob != nil || !files.isEmpty || !artifacts.isEmpty else { return writer.bytes }
        writer.write(standardInput.blob) { $0.write($1) }
        writer.write(files.count)
        for file in files {
            writer.write(file.path)
            writer.write(file.isExecutable)
            writer.write(file.content.blob) { $0.write($1) }
            writer.write(file.content.bytes ?? [])
        }
        // And one of a program that did not know these ends here.
        if !artifacts.isEmpty { writer.write(artifacts.map(\.text)) }
        return writer.bytes
    }

    /// Reads what ``record`` gave.
    init(record: [UInt8]) throws(RecordReader.Damage) {
        var reader = RecordReader(record)
        try self.init(from: &reader)
        guard !reader.isAtEnd else { return }
        if let blob = try reader.optional({ reader throws(RecordReader.Damage) in try reader.text() }) {
            standardInput = .blob(sha256: blob)
        }
        for _ in 0..<max(try reader.int(), 0) {
            let path = try reader.text()
            let isExecutable = try reader.bool()
            let blob = try reader.optional { reader throws(RecordReader.Damage) in try reader.text() }
            let bytes = try reader.bytes()
            let content = blob.map { Content.blob(sha256: $0) } ?? .bytes(bytes)
            files.append(RunFile(path: path, content: content, isExecutable: isExecutable))
        }
        guard !reader.isAtEnd else { return }
        for text in try reader.texts() {
            do { artifacts.append(try Glob(text)) } catch { throw RecordReader.Damage() }
        }
    }
}
