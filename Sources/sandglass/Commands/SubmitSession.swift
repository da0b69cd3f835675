internal import Client
internal import Glibc
internal import RunAPI
internal import RunModel
internal import System

/// The lifetime of `sandglass submit` and `sandglass rerun`.
struct SubmitSession {
    /// The origin of the run.
    enum Source {
        /// The options and files of `submit`.
        case request(SubmitRequest)
        /// The request of an earlier run.
        case rerun(RunID)
    }

    /// The content of standard output.
    enum Output {
        /// The command's output while it is written.
        case live
        /// The finished run as JSON.
        case json
        /// The run's id, immediately.
        case id
    }

    let source: Source
    let client: APIClient
    let progress: ProgressLine
    let output: Output
    let directory: String

    /// Creates the run, follows it, and exits with its status.
    func run() -> Never {
        var created: ReceivedRun?
        let status: Int32
        do throws(ClientError) {
            status = try run(&created)
        } catch {
            status = fail(error, created)
        }
        progress.erase()
        exit(status)
    }

    private func run(_ created: inout ReceivedRun?) throws(ClientError) -> Int32 {
        let run = try create()
        created = run
        progress.erase()
        let (standardOutput, standardError) = (client.output(to: STDOUT_FILENO), client.output(to: STDERR_FILENO))
        if output == .id {
            client.stopOnSignal()
            try standardOutput.write(Array("\(run.id)\n".utf8))
            return 0
        }
        try client.cancelOnSignal(run.id)
        var follower = EventFollower(client, run.id) { [output] stream, offsets in
            // The document has its own member for a cut.
            if output == .live { OutputGap.print(stream, offsets, advice: "; raise --output-bytes") }
        }
        let finished = try follower.follow { stream, bytes throws(ClientError) in
            guard output == .live else { return }
            try (stream == .standardOutput ? standardOutput : standardError).write(bytes)
        }
        created = nil
        client.stopOnSignal()
        if output == .json { try standardOutput.write(try client.run(run.id).json) }
        let status = report(finished)
        if output == .live { try follower.reportCuts(of: finished, includingReceived: true) }
        try fetchArtifacts(of: finished)
        return status
    }

    private func create() throws(ClientError) -> ReceivedRun {
        switch source {
        case .rerun(let id): try client.rerun(id)
        case .request(let request):
            try request.submit(to: client) { source, sent, count in
                progress.show { Self.line(source, sent, count, width: $0) }
            }
        }
    }

    /// The patterns of the artifacts that the server was asked to keep.
    private func artifactPatterns(of run: ReceivedRun) throws(ClientError) -> [Glob] {
        switch source {
        case .request(let request): request.artifacts
        case .rerun: try Glob.artifacts(run.artifactPatterns)
        }
    }

    /// Prints a message if the exit status is ambiguous, and returns the exit status.
    private func report(_ run: ReceivedRun) -> Int32 {
        let program = TerminalText.escaped(run.command.first ?? "")
        guard let outcome = run.outcome else {
            let name = TerminalText.escaped(run.outcomeName ?? "(none)")
            Diagnostics.print("sandglass: \(program): unknown outcome \(name); update this program")
            return ExitStatus.sandglassFailed
        }
        if output == .live, let message = OutcomeMessage.text(outcome, stopSignal: client.cancelSignal) {
            Diagnostics.print("sandglass: \(program): \(TerminalText.escaped(message))")
        }
        return ExitStatus.status(of: outcome, stopSignal: client.cancelSignal)
    }

    private func fetchArtifacts(of run: ReceivedRun) throws(ClientError) {
        for omission in run.omissions { Diagnostics.print("sandglass: \(TerminalText.escaped(omission))") }
        guard !run.artifacts.isEmpty else { return }
        let artifacts = try ArtifactDirectory(directory, for: try artifactPatterns(of: run), client)
        for artifact in run.artifacts { try artifacts.fetch(artifact, of: run.id) }
    }

    // MARK: Failures

    /// Prints an error, with advice about a run that may continue, and returns the exit status.
    private func fail(_ error: ClientError, _ run: ReceivedRun?) -> Int32 {
        progress.erase()
        switch error {
        case .outputClosed:
            if let run {
                client.stopOnSignal()
                try? client.cancel(run.id)
            }
            return ClientCommand.outputClosed
        case .stopped(let signal):
            if let run { Diagnostics.print("sandglass: \(Self.advice(run))") }
            return 128 + signal
        default:
            Diagnostics.print("sandglass: \(error)")
            if let run { Diagnostics.print("sandglass: \(Self.advice(run))") }
            return ExitStatus.sandglassFailed
        }
    }

    private static func advice(_ run: ReceivedRun) -> String {
        "the run \(run.id) may still be running. Follow it with `sandglass logs --follow \(run.id)`, or cancel it with "
            + "`sandglass cancel \(run.id)`."
    }

    private static func line(_ source: String, _ sent: Int, _ count: Int, width: Int) -> String {
        let share = count == 0 ? 100 : 100 * sent / count
        let figures = "  \(mebibytes(sent)) of \(mebibytes(count)) MiB, \(share) %"
        return TerminalText.cut(TerminalText.escaped(source), to: max(width - figures.count, 1)) + figures
    }

    private static func mebibytes(_ bytes: Int) -> String {
        let tenths = bytes * 10 / (1 << 20)
        return "\(tenths / 10).\(tenths % 10)"
    }
}
