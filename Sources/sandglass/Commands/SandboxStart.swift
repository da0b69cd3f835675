internal import Glibc
internal import Sandbox

/// The start of the launcher, which every command that runs sandboxes begins with.
enum SandboxStart {
    /// Starts a launcher, or prints the reason why that is not possible and exits.
    ///
    /// - Parameters:
    ///   - policy: The policy of the sandboxes.
    ///   - required: The features that the host must have.
    ///   - host: The information about the host.
    ///   - status: The exit status on failure.
    /// - Returns: A launcher that provides all required features.
    static func launcher(
        _ policy: SandboxPolicy,
        required: Set<HostFeature>,
        _ host: HostInfo,
        orExitWith status: Int32
    ) -> LauncherProcess {
        // A launcher that lacks a feature is destroyed in `start`, before the program exits.
        if let launcher = start(policy, required, host) { return launcher }
        exit(status)
    }

    private static func start(
        _ policy: SandboxPolicy,
        _ required: Set<HostFeature>,
        _ host: HostInfo
    ) -> LauncherProcess? {
        do throws(SetupFailure) {
            let launcher = try LauncherProcess(policy)
            let report = HostReport(host, launcher.support)
            let missing = report.missing(of: required)
            if missing.isEmpty { return launcher }
            let names = missing.map(\.rawValue).joined(separator: ", ")
            Diagnostics.print("sandglass: this host lacks required protections: \(names)")
            for gap in report.gaps(of: missing) { Diagnostics.print("sandglass: \(gap)") }
        } catch {
            Diagnostics.print("sandglass: cannot build the sandbox: \(error)")
        }
        return nil
    }
}

/// A box that moves a launcher into a task, because a closure cannot capture and consume a noncopyable value.
final class UnsafeTransfer: @unchecked Sendable {
    // SAFETY: the launcher is put in before the task exists, and taken out once, inside the task.
    private var process: LauncherProcess?

    init(_ process: consuming LauncherProcess) {
        self.process = .some(process)
    }

    /// Takes the launcher out of the box.
    func take() -> LauncherProcess {
        guard let process = process.take() else { preconditionFailure("the launcher was already taken") }
        return process
    }
}
