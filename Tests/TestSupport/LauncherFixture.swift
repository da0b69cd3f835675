internal import Glibc
internal import Reactor
public import Sandbox

/// Whether this host lets this user build sandboxes.
///
/// Root has no excuse: then the tests run, and fail if it does not.
public func sandboxIsAvailable() async -> Bool { await availability.value }

private let availability = Task {
    if geteuid() == 0 { return true }
    do {
        try await withLauncher(slots: 1) { _ in }
        return true
    } catch {
        return false
    }
}

/// Calls a test with a launcher of its own, which is stopped afterwards.
public func withLauncher<Result: Sendable>(
    slots: Int = 4,
    _ body: @escaping @Reactor (Launcher) async throws -> Result
) async throws -> Result {
    try await withLauncher(policy: .host(slots: slots, scratchBytes: 16 << 20), body)
}

/// Calls a test with a launcher of its own, which is stopped afterwards.
public func withLauncher<Result: Sendable>(
    policy: SandboxPolicy,
    _ body: @escaping @Reactor (Launcher) async throws -> Result
) async throws -> Result {
    let process = try LauncherProcess(policy)
    return try await adopt(process, body)
}

@Reactor
private func adopt<Result: Sendable>(
    _ process: consuming LauncherProcess,
    _ body: @Reactor (Launcher) async throws -> Result
) async throws -> Result {
    let launcher = try Launcher(process)
    defer { launcher.stop() }
    return try await body(launcher)
}
