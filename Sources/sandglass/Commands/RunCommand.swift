internal import ArgumentParser
internal import Glibc
internal import Reactor
internal import RunModel
internal import Sandbox
internal import Settings

/// `sandglass run`.
struct RunCommand: ParsableCommand {
    struct Options: SettingGroup {
        static let title = ""

        let require = ServeSetting.sandbox.require
        let json = CommandSetting.runJSON
        let expose = ServeSetting.sandbox.expose
    }

    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run one command in a sandbox, without a server.",
        usage: """
            sandglass run [--timeout <seconds>] [--file <path[=content-path]>] [--artifact <glob>] \
            [--require <protection>] [--json] [--expose <path>] [<options>] -- <command> ...
            """,
        discussion: """
            The command runs in its own sandbox in the directory /box. By default it sees the programs of this \
            machine, none of its other files, and no network. Standard input, output and error are passed through \
            unchanged.

              sandglass run --timeout 5 -- sh -c 'echo hello; sleep 1'

            Exit status: that of the command; 128+N if signal N ended it; 124 if it timed out; 125 if sandglass itself \
            failed; 126 if the command was found but could not be executed; 127 if it was not found. The command's own \
            status can have the same value. --json shows the outcome unambiguously.
            """
    )

    @OptionGroup var settings: SettingOptions<Options>
    @OptionGroup var options: RunOptions

    @Argument(
        parsing: .captureForPassthrough,
        help: ArgumentHelp("The command and its arguments.", valueName: "command")
    )
    var command: [String] = []

    func run() throws {
        let command = try PassthroughArguments.read(command, of: self)
        let session = try ProgramSettings.read { () throws(SettingError) -> RunSession in
            try self.session(command, try ProgramSettings.command(flags: settings.values))
        }
        session.run()
    }

    private func session(_ command: [String], _ sources: SettingSources) throws(SettingError) -> RunSession {
        var images = try sources.values(ServeSetting.sandbox.image)
        if let image = options.image, image.contains("=") { images.append(image) }
        var sandbox = try ServeSetting.sandbox.configuration(sources, images: images)
        let name = options.image.map { String($0.prefix { $0 != "=" }) } ?? SandboxImage.hostName
        guard name == SandboxImage.hostName || sandbox.images.contains(where: { $0.name == name }) else {
            throw SettingError("There is no image named '\(name)'. Give its path: --image \(name)=PATH")
        }
        // The caller of this program may use the host's network anyway.
        sandbox.allowsHostNetwork = options.network == .host
        let json = try sources.value(CommandSetting.json)
        return RunSession(
            local: try LocalRun(options, command, image: name, keepsOutput: json),
            json: json,
            sandbox: sandbox,
            required: try ServeSetting.sandbox.required(sources)
        )
    }
}

/// The lifetime of `sandglass run`.
struct RunSession {
    let local: LocalRun
    let json: Bool
    let sandbox: SandboxConfiguration
    let required: Set<HostFeature>

    /// Runs the command, and exits with its status.
    func run() -> Never {
        var signals = SignalWaiter([SIGHUP, SIGINT, SIGTERM])
        let process = SandboxStart.launcher(
            .host(slots: 1, scratchBytes: local.specification.limits.diskBytes, configuration: sandbox),
            required: required,
            .current(),
            orExitWith: ExitStatus.sandglassFailed
        )
        let single = SingleRun(self, enforcement: process.support.enforcement)
        let transfer = UnsafeTransfer(process)
        Task { @ReactorActor in single.start(transfer.take()) }
        while true {
            let signal = signals.next()
            Task { @ReactorActor in single.stop(signal) }
        }
    }
}
