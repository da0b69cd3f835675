package import RunModel

/// A runner of commands in a sandbox under limits, which reports how each one ended.
///
/// ```swift
/// let runner = try await Runner.start()
/// let result = try await runner.run(["/bin/echo", "hello"], timeout: .seconds(1))
/// // result.outcome == .exited(code: 0), result.standardOutput.text == "hello\n"
/// await runner.stop()
/// ```
///
/// A failing command is a result and not a thrown error; see its ``Outcome``. A thrown ``Failure`` means that the
/// command got no sandbox.
public final class Runner: Sendable {
    private let sandbox: SandboxedExecution

    private init(_ sandbox: SandboxedExecution) {
        self.sandbox = sandbox
    }

    /// Creates the sandbox and tries it once.
    ///
    /// Call this method early, while the process is small: the launcher is a fork of this process, and each sandbox is
    /// a fork of the launcher.
    ///
    /// - Parameter slots: the maximum number of concurrent commands, 1 to 8192; further commands wait.
    /// - Returns: a runner that is ready for commands.
    /// - Throws: ``Failure`` when this host cannot provide a sandbox.
    public static func start(slots: Int = 64) async throws(Failure) -> Runner {
        do throws(RunModel.Failure) {
            return Runner(try await SandboxedExecution.start(slots: slots))
        } catch {
            throw Failure(error)
        }
    }

    /// Runs a command with the default limits.
    ///
    /// - Parameters:
    ///   - arguments: the program and its arguments. A program without a slash is looked up in the sandbox's `PATH`.
    ///   - timeout: the wall-clock limit, counted from the command's exec.
    /// - Returns: the outcome and the output.
    /// - Throws: ``Failure`` when the command got no sandbox.
    public func run(_ arguments: [String], timeout: Duration) async throws(Failure) -> Result {
        var command = Command(arguments)
        command.timeout = timeout
        return try await run(command)
    }

    /// Runs a command.
    ///
    /// Cancelling the task cancels the run; its outcome is then ``Outcome/cancelled(_:)``.
    ///
    /// - Parameter command: the command with its input, files and limits.
    /// - Returns: the outcome and the output.
    /// - Throws: ``Failure`` when the command got no sandbox.
    public func run(_ command: Command) async throws(Failure) -> Result {
        try await run(command.specification)
    }

    /// Runs a command that has the form of the service's own requests.
    package func run(_ specification: RunSpecification) async throws(Failure) -> Result {
        do throws(RunModel.Failure) {
            return try Result(try await sandbox.run(specification))
        } catch {
            throw Failure(error)
        }
    }

    /// Ends every running command and removes the sandbox.
    ///
    /// Later runs throw ``Failure``.
    public func stop() async {
        await sandbox.stop()
    }
}
