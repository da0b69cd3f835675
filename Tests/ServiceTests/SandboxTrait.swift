import TestSupport
import Testing

extension Trait where Self == ConditionTrait {
    /// Skips where an ordinary user may not make user namespaces.
    static var needsSandbox: ConditionTrait {
        .enabled("this host does not let this user make user namespaces") { await sandboxIsAvailable() }
    }
}
