public import Reactor
public import Runs
public import Store

/// A run as those see it who follow what it writes: shared by all of them while it is not finished.
///
/// What is written is kept once, by the run; a follower remembers where it is in it.
@Reactor
public final class FollowedRun {
    /// The most often that followers are told, and how much time each of them gets: 1,000 of them are told at most every 20 ms.
    private static let shortestPause = Duration.milliseconds(1)
    private static let pausePerFollower = Duration.microseconds(20)

    /// The run, without what it wrote.
    public private(set) var run: Run
    /// Whether the end of the run, if it has one, may be told: it is remembered.
    public private(set) var isSettled: Bool
    /// Whether the run was not accepted after all: nothing more comes.
    public private(set) var isGone = false

    private var source: OutputSource
    private var followers: [ObjectIdentifier: any RunFollower] = [:]
    private var nextNotice = MonotonicTime(nanoseconds: 0)
    private var notice: Timer?
    /// Called when the last follower has left.
    var onIdle: (@Reactor () -> Void)?

    /// A run that is not finished.
    init(_ run: Run, source: OutputSource) {
        (self.run, self.source) = (run, source)
        isSettled = false
    }

    /// A run that is finished, and remembered.
    public init(finished stored: StoredRun) {
        run = stored.run
        source = .kept(KeptOutput(stored))
        isSettled = true
    }

    /// Whether all that the run wrote is there.
    public var isComplete: Bool { run.state == .finished }

    // MARK: Reading

    /// How many bytes of a stream there are.
    public func count(of stream: OutputStream) -> Int { source.count(of: stream) }

    /// Reads bytes of a stream.
    ///
    /// - Parameters:
    ///   - stream: which one.
    ///   - offset: where they begin in it.
    ///   - buffer: where they go.
    /// - Returns: how many there were, 0 at the end of what there is; `nil` if they cannot be read any more.
    public func read(_ stream: OutputStream, at offset: Int, into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        source.read(stream, at: offset, into: buffer)
    }

    /// In which order the streams were written.
    public var order: OutputOrder { source.order }

    // MARK: Followers

    /// Takes note of somebody who wants to be told when there is more.
    public func add(_ follower: any RunFollower) {
        guard !isComplete || !isSettled else { return }
        followers[ObjectIdentifier(follower)] = follower
    }

    /// Forgets somebody.
    public func remove(_ follower: any RunFollower) {
        guard followers.removeValue(forKey: ObjectIdentifier(follower)) != nil, followers.isEmpty else { return }
        notice?.cancel()
        notice = nil
        onIdle?()
    }

    // MARK: The run

    /// Its command is being started: it may write.
    func begin(_ active: ActiveRun) {
        source = .active(active)
        active.onOutput = { [weak self] in self?.noteOutput() }
    }

    /// It has changed.
    func change(to run: Run) {
        self.run = run
        self.run.standardOutput = .empty
        self.run.standardError = .empty
        tell()
    }

    /// Its end is remembered.
    func settle() {
        isSettled = true
        tell()
    }

    /// It was never accepted.
    func vanish() {
        isGone = true
        tell()
    }

    /// It has written something.
    ///
    /// At once if that did not happen a moment ago, and else once for all that comes meanwhile.
    private func noteOutput() {
        guard notice == nil, !followers.isEmpty else { return }
        let now = MonotonicTime.now
        guard now < nextNotice else { return tell(at: now) }
        notice = Reactor.schedule(at: nextNotice) { [weak self] in self?.tell() }
    }

    private func tell(at now: MonotonicTime = .now) {
        notice?.cancel()
        notice = nil
        nextNotice = now.advanced(by: max(Self.shortestPause, Self.pausePerFollower * followers.count))
        for follower in followers.values { follower.wake() }
    }
}
