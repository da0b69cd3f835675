internal import Client
internal import Glibc
internal import Runs

/// The life of `sandglass submit`.
struct SubmitSession {
    /// What comes to standard output.
    enum Output {
        /// What the command writes, as it comes.
        case live
        /// The run, when it is over.
        case json
        /// The run's id, at once.
        case id
    }

    let submission: Submission
    let client: APIClient
    let progress: ProgressLine
    let output: Output
    let folder: String

    /// Creates the run, follows it, and exits as it did.
    func run() -> Never {
        var created: ReceivedRun?
        let status: Int32
        do throws(ClientError) {
            status = try run(&created)
        } catch {
            status = end(error, created)
        }
        progress.erase()
        exit(status)
    }

    private func run(_ created: inout ReceivedRun?) throws(ClientError) -> Int32 {
        let run = try submission.submit(to: client) { source, sent, count in
            progress.show { Self.line(source, sent, count, width: $0) }
        }
        created = run
        progress.erase()
        let (standardOutput, standardError) = (client.port(STDOUT_FILENO), client.port(STDERR_FILENO))
        if output == .id {
            client.stopOnSignal()
            try standardOutput.write(Array("\(run.id)\n".utf8))
            return 0
        }
        try client.cancelOnStop(run.id)
        var follower = RunFollower(client, run.id)
        let finished = try follower.follow { stream, bytes throws(ClientError) in
            guard output == .live else { return }
            try (stream == .standardOutput ? standardOutput : standardError).write(bytes)
        }
        created = nil
        client.stopOnSignal()
        if output == .json { try standardOutput.write(try client.run(run.id).json) }
        let status = tell(finished)
        if output == .live {
            for (stream, kept) in try follower.cutOff(finished) {
                Diagnostics.say(
                    "sandglass: of \(stream.rawValue) only the first \(kept) bytes were kept (--output-bytes)"
                )
            }
        }
        try fetchArtifacts(of: finished)
        return status
    }

    /// Says what the exit status does not.
    private func tell(_ run: ReceivedRun) -> Int32 {
        let program = TerminalText.harmless(submission.command[0])
        guard let outcome = run.outcome else {
            let name = TerminalText.harmless(run.outcomeName ?? "nothing")
            Diagnostics.say("sandglass: \(program): it ended with \(name), which this version does not know")
            return ExitStatus.sandglassFailed
        }
        if output == .live, let note = OutcomeNote.text(outcome, stopSignal: client.cancelSignal) {
            Diagnostics.say("sandglass: \(program): \(TerminalText.harmless(note))")
        }
        return ExitStatus.status(of: outcome, stopSignal: client.cancelSignal)
    }

    private func fetchArtifacts(of run: ReceivedRun) throws(ClientError) {
        for omission in run.omissions { Diagnostics.say("sandglass: \(TerminalText.harmless(omission))") }
        guard !run.artifacts.isEmpty else { return }
        let artifacts = try ArtifactFolder(folder, for: submission.artifacts, client)
        for artifact in run.artifacts { try artifacts.fetch(artifact, of: run.id) }
    }

    // MARK: Failures

    /// Says what failed, and what to do about a run that goes on.
    private func end(_ error: ClientError, _ run: ReceivedRun?) -> Int32 {
        progress.erase()
        switch error {
        case .outputClosed:
            if let run {
                client.stopOnSignal()
                try? client.cancel(run.id)
            }
            return ClientCommand.outputClosed
        case .stopped(let signal):
            if let run { Diagnostics.say("sandglass: \(Self.advice(run))") }
            return 128 + signal
        default:
            Diagnostics.say("sandglass: \(error)")
            if let run { Diagnostics.say("sandglass: \(Self.advice(run))") }
            return ExitStatus.sandglassFailed
        }
    }

    private static func advice(_ run: ReceivedRun) -> String {
        "the run \(run.id) may still be going on: `sandglass logs --follow \(run.id)` shows it, "
            + "`sandglass cancel \(run.id)` ends it"
    }

    private static func line(_ source: String, _ sent: Int, _ count: Int, width: Int) -> String {
        let share = count == 0 ? 100 : 100 * sent / count
        let figures = "  \(mebibytes(sent)) of \(mebibytes(count)) MiB, \(share) %"
        return TerminalText.cut(TerminalText.harmless(source), to: max(width - figures.count, 1)) + figures
    }

    private static func mebibytes(_ bytes: Int) -> String {
        let tenths = bytes * 10 / (1 << 20)
        return "\(tenths / 10).\(tenths % 10)"
    }
}
