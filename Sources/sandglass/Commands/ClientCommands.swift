internal import ArgumentParser
internal import Client
internal import Glibc
internal import RunAPI
internal import RunModel
internal import Settings

/// `sandglass status`.
struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show the status of a run.",
        discussion: """
              sandglass status --wait 60 01M82SD0SKBQ831DSGRR58G3G2

            Exit status: 0 if the server returned the run, whatever its outcome; 1 if the request failed; 64 for a \
            usage error.
            """
    )

    @OptionGroup var client: ClientOptions

    @Option(
        help: ArgumentHelp("Wait this many seconds for the run to finish.", valueName: "seconds")
    )
    var wait = 0

    @OptionGroup var output: SettingOptions<JSONSettings>
    @Argument(help: ArgumentHelp("The id of the run.", valueName: "id")) var id: RunArgument

    func validate() throws {
        guard (0...31_536_000).contains(wait) else {
            throw ValidationError("--wait must be from 0 to 31536000 seconds.")
        }
    }

    func run() throws {
        let client = try client.client()
        let json = try ClientCommand.printsJSON(output.values)
        try ClientCommand.run { () throws(ClientError) in
            let run = try client.run(id.value, waitingAtMost: .seconds(wait))
            let text = json ? run.json : Array(RunText.lines(of: run).map { $0 + "\n" }.joined().utf8)
            try client.output(to: STDOUT_FILENO).write(text)
        }
    }
}

/// `sandglass logs`.
struct LogsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs",
        abstract: "Print the output of a run.",
        discussion: """
            The run's standard output goes to standard output and its standard error to standard error, in the order \
            in which the server read them. Where output is missing, because it exceeded the limit of the run and the \
            server did not store it, standard error names it by its offsets. That is no failure.

              sandglass logs --follow 01M82SD0SKBQ831DSGRR58G3G2

            Exit status: 0 if all stored output was printed, whatever the run's outcome; 1 if not; 64 for a usage \
            error.
            """
    )

    @OptionGroup var client: ClientOptions
    @Flag(help: "Continue until the run finishes.") var follow = false

    @Option(
        help: ArgumentHelp("Print this stream only: stdout or stderr. (default: both)", valueName: "stream"),
        transform: Self.stream
    )
    var stream: OutputStream?

    @Argument(help: ArgumentHelp("The id of the run.", valueName: "id")) var id: RunArgument

    func run() throws {
        let client = try client.client()
        try ClientCommand.run { () throws(ClientError) in
            let outputs = [
                OutputStream.standardOutput: client.output(to: STDOUT_FILENO),
                .standardError: client.output(to: STDERR_FILENO),
            ]
            var follower = EventFollower(client, id.value) { part, offsets in
                if stream ?? part == part { OutputGap.print(part, offsets) }
            }
            let print: (OutputStream, [UInt8]) throws(ClientError) -> Void = { part, bytes throws(ClientError) in
                guard stream ?? part == part else { return }
                try outputs[part]?.write(bytes)
            }
            guard follow else { return try follower.catchUp(print) }
            let finished = try follower.follow(print)
            try follower.reportCuts(of: finished, includingReceived: false)
        }
    }

    private static func stream(_ name: String) throws -> OutputStream {
        if let stream = OutputStream(rawValue: name) { return stream }
        throw ValidationError("It must be \(OutputStream.allCases.map(\.rawValue).joined(separator: " or ")).")
    }
}

/// The message about output that is missing.
enum OutputGap {
    /// Prints the offsets of the bytes of a stream that the server did not store, and advice.
    static func print(_ stream: OutputStream, _ offsets: Range<Int>, advice: String = "") {
        Diagnostics.print(
            "sandglass: the server did not store bytes \(offsets.lowerBound) to \(offsets.upperBound - 1) of "
                + "\(stream.rawValue)\(advice)"
        )
    }
}

/// `sandglass cancel`.
struct CancelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "Cancel runs.",
        discussion: """
            A finished run does not change.

              sandglass cancel 01M82SD0SKBQ831DSGRR58G3G2

            Exit status: 0 if the server accepted all requests; 1 if not; 64 for a usage error.
            """
    )

    @OptionGroup var client: ClientOptions
    @Argument(help: ArgumentHelp("The ids of the runs.", valueName: "id")) var runs: [RunArgument]

    func run() throws {
        let client = try client.client()
        try ClientCommand.run { () throws(ClientError) in
            try ClientCommand.forEach(runs) { id throws(ClientError) in try client.cancel(id) }
        }
    }
}

/// `sandglass list`.
struct ListCommand: ParsableCommand {
    struct Output: SettingGroup {
        static let title = ""

        let json = CommandSetting.json.description.withHelp("Print one JSON object per line instead of a table.")
    }

    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List runs, newest first.",
        discussion: """
              sandglass list --outcome timed_out --label branch=main --limit 20

            Exit status: 0 if the server returned the list; 1 if the request failed; 64 for a usage error.
            """
    )

    /// The largest page of the API.
    private static let maximumPage = 100

    @OptionGroup var client: ClientOptions
    @Option(help: "List only runs in this state: queued, running or finished.", transform: Self.state)
    var state: RunState?

    @Option(help: "List only runs with this outcome, such as exited or timed_out.", transform: Self.outcome)
    var outcome: String?

    @Option(
        help: ArgumentHelp("List only runs with this label.", valueName: "key=value"),
        transform: KeyValueArgument.init
    )
    var label: KeyValueArgument?

    @Option(help: ArgumentHelp("List only runs of this principal.", valueName: "name")) var principal: String?

    @Option(
        help: ArgumentHelp(
            "List only runs whose command, with its arguments, begins with this text.",
            valueName: "text"
        )
    )
    var command: String?

    @Option(
        help: ArgumentHelp(
            "List only runs that were accepted at or after this time: 2026-01-31T08:15:30Z, or 90s, 5m or 1.5h ago.",
            valueName: "time"
        ),
        transform: Self.time
    )
    var since: Timestamp?

    @Option(
        help: ArgumentHelp("List only runs that were accepted before this time, in the same forms.", valueName: "time"),
        transform: Self.time
    )
    var until: Timestamp?

    @Option(help: ArgumentHelp("List at most this many runs.", valueName: "number")) var limit = 100
    @OptionGroup var output: SettingOptions<Output>

    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit must be at least 1.") }
        if let label, label.name.utf8.contains(UInt8(ascii: ":")) {
            throw ValidationError("--label '\(label.name)=…': The name of a label contains no colon.")
        }
    }

    private static func state(_ name: String) throws -> RunState {
        if let state = RunState(rawValue: name) { return state }
        throw ValidationError("It must be queued, running or finished.")
    }

    private static func outcome(_ name: String) throws -> String {
        if Outcome.names.contains(name) { return name }
        throw ValidationError("It must be one of \(Outcome.names.joined(separator: ", ")).")
    }

    func run() throws {
        let client = try client.client()
        let json = try ClientCommand.printsJSON(output.values)
        var query: [(name: String, value: String)] = []
        if let state { query.append(("state", state.rawValue)) }
        if let outcome { query.append(("outcome", outcome)) }
        if let label { query.append(("label", "\(label.name)=\(label.value)")) }
        if let principal { query.append(("principal", principal)) }
        if let command { query.append(("command", command)) }
        if let since { query.append(("since", since.description)) }
        if let until { query.append(("until", until.description)) }
        try ClientCommand.run { () throws(ClientError) in
            let output = client.output(to: STDOUT_FILENO)
            let width = ProgressLine.width(of: STDOUT_FILENO)
            var (remaining, cursor): (Int, String?) = (limit, nil)
            var hasHead = json
            repeat {
                let page = [("limit", "\(min(remaining, Self.maximumPage))")] + (cursor.map { [("cursor", $0)] } ?? [])
                let response = try client.runs(query + page)
                // A failed request prints no head.
                if !hasHead { try output.write(Array((RunText.tableHead + "\n").utf8)) }
                hasHead = true
                for run in response.runs.prefix(remaining) {
                    try output.write(json ? run.json : Array((RunText.tableRow(run, width: width) + "\n").utf8))
                }
                remaining -= response.runs.count
                // A faulty server that returns a cursor with an empty page would cause an endless loop.
                cursor = response.runs.isEmpty ? nil : response.next
            } while cursor != nil && remaining > 0
        }
    }

    /// Reads a time, or a duration before the current time.
    private static func time(_ text: String) throws -> Timestamp {
        if let time = Timestamp(text) { return time }
        guard let duration = Quantity.duration(text), duration <= .seconds(3_155_760_000) else {
            throw ValidationError("It must be a time such as 2026-01-31T08:15:30Z, or a duration such as 1.5h.")
        }
        let milliseconds = Int64(duration / .milliseconds(1))
        return Timestamp(millisecondsSince1970: Timestamp.now.millisecondsSince1970 - milliseconds)
    }
}
