public import Sandbox
public import Store

/// Why a run could not be started or remembered at this moment.
public enum ReadinessFault: Sendable, Hashable {
    /// The service is being stopped.
    case stopping
    /// No slot could be made.
    case launcher(SetupFailure)
    /// Nothing can be written, or there is no room.
    case store(StoreError)
    /// What was written did not arrive in time.
    case storeIsSilent
}
