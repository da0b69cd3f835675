internal import Runs

extension RunSpecification {
    /// All that it takes to run it, now or after the next start.
    func write(to writer: inout RecordWriter) {
        writer.write(command)
        // The trace outlives a restart as what it is to the command.
        writer.write(ownEnvironment)
        writer.write(workingDirectory)
        writer.write(standardInput)
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
            standardInput: standardInput,
            limits: limits,
            grace: grace,
            onOutputLimit: policy,
            image: image,
            network: network,
            labels: try reader.pairs()
        )
    }

    var record: [UInt8] {
        var writer = RecordWriter()
        write(to: &writer)
        return writer.bytes
    }
}
