internal import ArgumentParser
internal import Runs
internal import Sandbox
internal import Settings

/// `sandglass run`.
struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run one command, without a server.",
        usage: """
            sandglass run [--timeout <seconds>] [--require <wall>] [--json] [--expose <path>] [--image <name=path>] \
            [--network <network>] -- <command> ...
            """,
        discussion: """
            The command runs in a sandbox of its own, in its folder /box: it sees this machine's programs, none of its \
            other files, and no network, unless the options say otherwise. Its standard input, output and error are passed through as they come.

            Exit status: the command's own, 128+N if signal N ended it; 124 if it timed out; 125 if sandglass itself \
            failed; 126 if the command was found but could not be run; 127 if it was not found. With --json the outcome \
            is spelt out: an exit code of 124 can be the command's own.
            """
    )

    @Option(help: .setting(RunSetting.timeout)) var timeout: String?
    @Option(help: .setting(SandboxSetting.require)) var require: [String] = []

    @Flag(
        inversion: .prefixedNo,
        help: """
            Print the run as a JSON object when it is over, with what it wrote (up to 1 MiB a stream), instead of \
            passing its output through. (environment: SANDGLASS_JSON)
            """
    )
    var json: Bool?

    @Option(help: .setting(SandboxSetting.expose)) var expose: [String] = []

    @Option(
        help: ArgumentHelp(
            "A root file system to see, read-only: the name of one in SANDGLASS_IMAGE, or another one.",
            valueName: "name[=path]"
        )
    )
    var image: String?

    @Option(
        help: ArgumentHelp(
            "The network that it sees: none, or host, this machine's, with all that listens on its loopback.",
            valueName: "network"
        ),
        transform: Self.network
    )
    var network = RunNetwork.none

    @Argument(
        parsing: .captureForPassthrough,
        help: ArgumentHelp("The command and its arguments.", valueName: "command")
    )
    var command: [String] = []

    func run() throws {
        let command = try CommandWords.read(command, of: self)
        var flags = SettingFlags.values(self)
        // Here it names the one to use.
        flags[SandboxSetting.image.description.name] = nil
        let session = try ProgramSettings.read { () throws(SettingError) -> RunSession in
            try self.session(command, try ProgramSettings.command(flags: flags))
        }
        session.run()
    }

    private func session(_ command: [String], _ sources: SettingSources) throws(SettingError) -> RunSession {
        var images = try sources.values(SandboxSetting.image)
        if let image, image.contains("=") { images.append(image) }
        var sandbox = try SandboxSetting.sandbox(sources, images: images)
        let name = image.map { String($0.prefix { $0 != "=" }) } ?? SandboxImage.hostName
        guard name == SandboxImage.hostName || sandbox.images.contains(where: { $0.name == name }) else {
            throw SettingError("There is no image named '\(name)': give its path, --image \(name)=PATH")
        }
        // Who starts this program may use the network anyway.
        sandbox.allowsHostNetwork = network == .host
        return RunSession(
            command: command,
            timeout: try sources.value(RunSetting.timeout) ?? .seconds(10),
            json: try sources.value(RunSetting.json) ?? false,
            sandbox: sandbox,
            image: name,
            network: network,
            required: try SandboxSetting.required(sources)
        )
    }

    private static func network(_ name: String) throws -> RunNetwork {
        if let network = RunNetwork(rawValue: name) { return network }
        throw ValidationError("It must be \(RunNetwork.allCases.map(\.rawValue).joined(separator: " or ")).")
    }
}
