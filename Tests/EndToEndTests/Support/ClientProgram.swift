/// The commands that talk to a server, as programs that a test starts.
enum ClientProgram {
    /// Starts one; its options come before what is behind two dashes.
    static func start(
        _ command: String,
        at url: String,
        _ arguments: [String] = [],
        environment: [String: String] = [:],
        input: ChildProcess.Input = .none
    ) throws -> ChildProcess {
        try ChildProcess([Host.program, command, "--server", url] + arguments, environment: environment, input: input)
    }

    /// Runs one to its end.
    static func run(
        _ command: String,
        at url: String,
        _ arguments: [String] = [],
        environment: [String: String] = [:],
        input: [UInt8]? = nil
    ) throws -> ChildProcess.Finished {
        let process = try start(
            command,
            at: url,
            arguments,
            environment: environment,
            input: input == nil ? .none : .pipe
        )
        return try process.finish(input: input ?? [])
    }

    /// Submits a shell script and follows it to its end.
    static func submit(
        _ script: String,
        to url: String,
        _ options: [String] = [],
        environment: [String: String] = [:],
        input: [UInt8]? = nil
    ) throws -> ChildProcess.Finished {
        try run("submit", at: url, options + ["--", "/bin/sh", "-c", script], environment: environment, input: input)
    }
}

extension ServerProcess {
    var url: String { "http://127.0.0.1:\(port)" }
}

extension CuttingProxy {
    var url: String { "http://127.0.0.1:\(port)" }
}
