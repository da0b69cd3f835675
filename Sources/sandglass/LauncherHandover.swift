internal import Sandbox

/// Carries a launcher into a task: what cannot be copied cannot be captured and consumed there.
final class LauncherHandover: @unchecked Sendable {
    // SAFETY: put in before the task exists and taken out once, inside it.
    private var process: LauncherProcess?

    init(_ process: consuming LauncherProcess) {
        self.process = .some(process)
    }

    func take() -> LauncherProcess {
        guard let process = process.take() else { preconditionFailure("a launcher is handed over once") }
        return process
    }
}
