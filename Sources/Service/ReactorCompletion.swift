internal import Reactor

/// Returns a completion for the store, which calls completions on its own threads, that runs `completion` on the
/// reactor.
///
/// This is the only place where a result of the store changes threads. It costs one job on the reactor.
func onReactor<Value: Sendable>(
    _ completion: @escaping @ReactorActor (Value) -> Void
) -> @Sendable (Value) -> Void {
    { value in Task { @ReactorActor in completion(value) } }
}

/// Returns a completion without a value for the store that runs `completion` on the reactor.
func onReactor(_ completion: @escaping @ReactorActor () -> Void) -> @Sendable () -> Void {
    { Task { @ReactorActor in completion() } }
}
