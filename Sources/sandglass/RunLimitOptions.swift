internal import ArgumentParser

/// What a run may use; a server refuses what is more than it allows.
struct RunLimitOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("The time between SIGTERM and SIGKILL at the deadline. (default: 0)", valueName: "seconds")
    )
    var grace: Double?

    @Option(
        help: ArgumentHelp(
            "Processor time of all its processes together. (default: twice the timeout, at least 1)",
            valueName: "seconds"
        )
    )
    var cpuSeconds: Double?

    @Option(help: ArgumentHelp("Memory of all of them together. (default: 536870912)", valueName: "bytes"))
    var memoryBytes: Int?

    @Option(help: ArgumentHelp("Processes and threads at once. (default: 64)", valueName: "number"))
    var processes: Int?

    @Option(help: ArgumentHelp("What is kept of each stream. (default: 1048576)", valueName: "bytes"))
    var outputBytes: Int?

    @Option(help: ArgumentHelp("What its files may have together. (default: 268435456)", valueName: "bytes"))
    var diskBytes: Int?

    @Option(help: ArgumentHelp("Descriptors of each process. (default: 256)", valueName: "number"))
    var openFiles: Int?

    func validate() throws {
        // What is no number in JSON.
        for seconds in [grace, cpuSeconds] where !(seconds ?? 0).isFinite {
            throw ValidationError("It must be a number of seconds.")
        }
    }

    /// The limits that are whole numbers, by the names that the API has for them.
    var named: [(name: String, value: Int)] {
        let all = [
            ("memoryBytes", memoryBytes), ("processes", processes), ("outputBytes", outputBytes),
            ("diskBytes", diskBytes), ("openFiles", openFiles),
        ]
        return all.compactMap { name, value in value.map { (name, $0) } }
    }
}
