internal import ArgumentParser
internal import Client
internal import RunAPI
internal import RunModel

/// `sandglass fetch`.
struct FetchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fetch",
        abstract: "Download the artifacts of a finished run.",
        discussion: """
            Existing files with the same paths are replaced. Without --artifact all artifacts are downloaded, except \
            those with a name that begins with a dot: name them with a pattern.

              sandglass fetch --output-directory out 01M82SD0SKBQ831DSGRR58G3G2

            Exit status: 0 if all selected artifacts were downloaded; 1 if not; 64 for a usage error.
            """
    )

    @OptionGroup var client: ClientOptions

    @Option(help: ArgumentHelp("Download only the artifacts that match this pattern. Repeatable.", valueName: "glob"))
    var artifact: [String] = []

    @Option(help: ArgumentHelp("Download artifacts to this directory.", valueName: "directory"))
    var outputDirectory = "."

    @Argument(help: ArgumentHelp("The id of the run.", valueName: "id")) var id: RunArgument

    func run() throws {
        let client = try client.client()
        try ClientCommand.run { () throws(ClientError) in
            let globs = try Glob.artifacts(artifact.isEmpty ? ["**"] : artifact)
            let run = try client.run(id.value)
            guard run.isFinished else {
                throw .local(
                    "The run \(run.id) is not finished. Wait for it with `sandglass status --wait 60 \(run.id)`."
                )
            }
            for omission in run.omissions { Diagnostics.print("sandglass: \(TerminalText.escaped(omission))") }
            let directory = try ArtifactDirectory(outputDirectory, for: globs, client)
            var count = 0
            for artifact in run.artifacts where directory.selects(artifact) {
                if self.artifact.isEmpty, Self.isHidden(artifact.path) {
                    let path = TerminalText.escaped(artifact.path)
                    Diagnostics.print("sandglass: \(path) begins with a dot. Download it with --artifact '\(path)'.")
                    continue
                }
                try directory.fetch(artifact, of: run.id)
                count += 1
            }
            if count == 0, !artifact.isEmpty { throw .local("No artifact of the run \(run.id) matches the patterns.") }
            if run.artifacts.isEmpty { Diagnostics.print("sandglass: the run \(run.id) has no artifacts") }
        }
    }

    /// Returns whether a part of a path begins with a dot: programs execute such files without being asked to.
    private static func isHidden(_ path: String) -> Bool {
        path.utf8.split(separator: UInt8(ascii: "/")).contains { $0.first == UInt8(ascii: ".") }
    }
}

extension Glob {
    /// Parses the values of `--artifact`.
    static func artifacts(_ texts: [String]) throws(ClientError) -> [Glob] {
        try texts.map { text throws(ClientError) in
            do throws(Glob.Fault) { return try Glob(text) } catch {
                throw .invalidArgument("--artifact '\(text)': \(error.detail).")
            }
        }
    }
}

/// `sandglass rm`.
struct RemoveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm",
        abstract: "Delete finished runs with their output and artifacts.",
        discussion: """
              sandglass rm 01M82SD0SKBQ831DSGRR58G3G2

            Exit status: 0 if the server deleted all runs; 1 if not; 64 for a usage error.
            """
    )

    @OptionGroup var client: ClientOptions
    @Argument(help: ArgumentHelp("The ids of the runs.", valueName: "id")) var runs: [RunArgument]

    func run() throws {
        let client = try client.client()
        try ClientCommand.run { () throws(ClientError) in
            try ClientCommand.forEach(runs) { id throws(ClientError) in try client.delete(id) }
        }
    }
}
