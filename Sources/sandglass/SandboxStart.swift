internal import Glibc
internal import Sandbox

/// The first thing that a program here does that runs commands.
enum SandboxStart {
    /// Starts a launcher, or says why there is none that is good enough and ends this program.
    ///
    /// - Parameters:
    ///   - policy: what it makes.
    ///   - required: what the host must have.
    ///   - facts: what was read about it.
    ///   - status: what to exit with.
    /// - Returns: a launcher that gives all that is required.
    static func launcher(
        _ policy: SandboxPolicy,
        required: Set<HostFeature>,
        _ facts: HostFacts,
        orExitWith status: Int32
    ) -> LauncherProcess {
        // What is refused is gone before this program ends.
        if let launcher = start(policy, required, facts) { return launcher }
        exit(status)
    }

    private static func start(
        _ policy: SandboxPolicy,
        _ required: Set<HostFeature>,
        _ facts: HostFacts
    ) -> LauncherProcess? {
        do throws(SetupFailure) {
            let launcher = try LauncherProcess(policy)
            let report = HostReport(facts, launcher.support)
            let missing = report.missing(of: required)
            if missing.isEmpty { return launcher }
            let names = missing.map(\.rawValue).joined(separator: ", ")
            Diagnostics.say("sandglass: this host does not give what is required: \(names)")
            for gap in report.gaps(of: missing) { Diagnostics.say("sandglass: \(gap)") }
        } catch {
            Diagnostics.say("sandglass: cannot build the sandbox: \(error)")
        }
        return nil
    }
}
