internal import Glibc
internal import Reactor
package import Sandbox

/// Returns true if this host lets this user build sandboxes.
///
/// It is always true for root, so that the tests run and fail where root cannot build one.
package func sandboxIsAvailable() async -> Bool { await availability.value }

private let availability = Task {
    if geteuid() == 0 { return true }
    do {
        try await withLauncher(slots: 1) { _ in }
        return true
    } catch {
        return false
    }
}

/// Calls `body` with a launcher of its own and stops the launcher afterwards.
package func withLauncher<Result: Sendable>(
    slots: Int = 4,
    _ body: @escaping @ReactorActor (Launcher) async throws -> Result
) async throws -> Result {
    try await withLauncher(policy: .host(slots: slots, scratchBytes: 16 << 20), body)
}

/// Calls `body` with a launcher of its own and stops the launcher afterwards.
package func withLauncher<Result: Sendable>(
    policy: SandboxPolicy,
    _ body: @escaping @ReactorActor (Launcher) async throws -> Result
) async throws -> Result {
    let process = try LauncherProcess(policy)
    return try await adopt(process, body)
}

@ReactorActor
private func adopt<Result: Sendable>(
    _ process: consuming LauncherProcess,
    _ body: @ReactorActor (Launcher) async throws -> Result
) async throws -> Result {
    let launcher = try Launcher(process)
    defer { launcher.stop() }
    return try await body(launcher)
}
