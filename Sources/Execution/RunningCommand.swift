internal import Reactor

/// What a cancelled task cancels.
@Reactor
final class RunningCommand {
    var execution: Execution?

    nonisolated init() {}
}
