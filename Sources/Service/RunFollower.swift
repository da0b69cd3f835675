public import Reactor

/// Somebody who follows a run.
@Reactor
public protocol RunFollower: AnyObject {
    /// There may be more, or the run has changed.
    ///
    /// Called often, and while other things are being done: it takes note, and does the rest later.
    func wake()
}
