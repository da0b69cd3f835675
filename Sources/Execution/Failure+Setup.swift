internal import Reactor
public import Runs
public import Sandbox

extension Failure {
    /// A set-up that failed, in the words that callers see.
    public init(_ failure: SetupFailure) {
        self.init(
            step: failure.step.rawValue,
            errno: SystemError.name(of: failure.number),
            detail: failure.description
        )
    }
}
