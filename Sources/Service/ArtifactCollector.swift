internal import DequeModule
internal import Reactor
internal import Runs
internal import Sandbox
internal import Store

/// Has runs' files collected, a few runs at a time: each takes descriptors, and memory for the names in its folders.
@Reactor
final class ArtifactCollector {
    private static let atOnce = 4

    private typealias Completion = @Reactor (CollectedArtifacts) -> Void

    private let store: BlobStore
    private let limits: ArtifactLimits
    private var waiting = Deque<(collection: ArtifactCollection, completion: Completion)>()
    private var active = 0

    init(_ store: BlobStore, _ limits: ArtifactLimits) { (self.store, self.limits) = (store, limits) }

    /// Collects what a run has left.
    ///
    /// - Parameters:
    ///   - files: what it has left; the sandbox ends when they are collected.
    ///   - globs: what of it is kept.
    ///   - run: which run it is.
    ///   - principal: whose it is.
    ///   - completion: called once.
    /// - Returns: what can be cancelled.
    func collect(
        _ files: LeftFiles,
        _ globs: [Glob],
        of run: RunID,
        owner principal: String,
        _ completion: @escaping @Reactor (CollectedArtifacts) -> Void
    ) -> ArtifactCollection {
        let collection = ArtifactCollection(files, globs, limits, run: run, principal: principal, store: store)
        waiting.append((collection, completion))
        startNext()
        return collection
    }

    /// What is told of a run whose sandbox ended before its files could be read.
    static func gone(_ outcome: Outcome) -> CollectedArtifacts {
        // One that never started has left nothing.
        if outcome.failure != nil { return .none }
        let detail = "the kernel or this service ended the sandbox as a whole, and its files went with it"
        return CollectedArtifacts(
            omitted: [OmittedArtifact(path: ".", reason: .sandboxGone, detail: detail)],
            omittedCount: 1
        )
    }

    private func startNext() {
        guard active < Self.atOnce, let (collection, completion) = waiting.popFirst() else { return }
        active += 1
        collection.start { artifacts in
            Task { @Reactor in
                self.active -= 1
                completion(artifacts)
                self.startNext()
            }
        }
    }
}
