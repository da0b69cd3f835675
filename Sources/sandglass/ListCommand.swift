internal import ArgumentParser
internal import Client
internal import Glibc

/// `sandglass list`.
struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the runs of a server, the newest first.",
        discussion: """
              sandglass list --outcome timed_out --label branch=main --limit 20

            Exit status: 0 if the server told; 1 if it did not; 64 for a wrong call.
            """
    )

    /// What a page of the API has at most.
    private static let mostOfPage = 100

    @OptionGroup var server: ServerOptions
    @Option(help: "Only runs in this state: queued, running or finished.") var state: String?
    @Option(help: "Only runs with this outcome, such as exited or timed_out.") var outcome: String?

    @Option(help: ArgumentHelp("Only runs with this label.", valueName: "key=value"), transform: NamedValue.init)
    var label: NamedValue?

    @Option(help: ArgumentHelp("How many at most.", valueName: "number")) var limit = 100

    @Flag(inversion: .prefixedNo, help: "Print a JSON object a line. (environment: SANDGLASS_JSON)") var json: Bool?

    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit must be at least 1.") }
    }

    func run() throws {
        let client = try server.client()
        let json = try ClientCommand.json(self)
        var query: [(name: String, value: String)] = []
        if let state { query.append(("state", state)) }
        if let outcome { query.append(("outcome", outcome)) }
        if let label { query.append(("label", "\(label.name):\(label.value)")) }
        try ClientCommand.run { () throws(ClientError) in
            let output = client.port(STDOUT_FILENO)
            let width = ProgressLine.width(of: STDOUT_FILENO)
            if !json { try output.write(Array((RunText.tableHead + "\n").utf8)) }
            var (left, cursor): (Int, String?) = (limit, nil)
            repeat {
                let own = [("limit", "\(min(left, Self.mostOfPage))")] + (cursor.map { [("cursor", $0)] } ?? [])
                let page = try client.runs(query + own)
                for run in page.runs.prefix(left) {
                    try output.write(json ? run.json : Array((RunText.tableRow(run, width: width) + "\n").utf8))
                }
                left -= page.runs.count
                // A server that says that there is more and gives nothing would be asked for ever.
                cursor = page.runs.isEmpty ? nil : page.next
            } while cursor != nil && left > 0
        }
    }
}
