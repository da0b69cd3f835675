internal import DequeModule
package import Reactor
package import RunModel
package import Sandbox
package import Store

/// Collects the artifacts of a few runs concurrently.
///
/// Each collection takes descriptors, and memory for the names in its directories, so further collections are queued.
@ReactorActor
package final class ArtifactCollector {
    private static let concurrency = 4

    private typealias Completion = @ReactorActor (CollectedArtifacts) -> Void

    private let store: BlobStore
    private let limits: ArtifactLimits
    private var queue = Deque<(collection: ArtifactCollection, completion: Completion)>()
    private var active = 0

    /// - Parameters:
    ///   - store: the store of the blobs that keep the artifacts.
    ///   - limits: the number and sizes of the files to keep.
    package init(_ store: BlobStore, _ limits: ArtifactLimits) { (self.store, self.limits) = (store, limits) }

    /// Collects the artifacts of a run whose command has ended.
    ///
    /// - Parameters:
    ///   - files: the files of the run's sandbox. The sandbox ends after their collection.
    ///   - globs: the patterns of the files to keep.
    ///   - run: the run.
    ///   - principal: the run's owner.
    ///   - completion: called once with the artifacts.
    /// - Returns: the collection, which can be cancelled.
    @discardableResult
    package func collect(
        _ files: SandboxFiles,
        _ globs: [Glob],
        of run: RunID,
        owner principal: String,
        _ completion: @escaping @ReactorActor (CollectedArtifacts) -> Void
    ) -> ArtifactCollection {
        let collection = ArtifactCollection(files, globs, limits, run: run, principal: principal, store: store)
        queue.append((collection, completion))
        startNext()
        return collection
    }

    /// Returns the artifacts of a run whose sandbox ended before its files could be read.
    package static func artifactsOfLostSandbox(_ outcome: Outcome) -> CollectedArtifacts {
        // A command that never started has left no files.
        if outcome.failure != nil { return .none }
        let detail = "the kernel or this service ended the whole sandbox, and its files were lost with it"
        return CollectedArtifacts(
            omitted: [OmittedArtifact(path: ".", reason: .sandboxGone, detail: detail)],
            omittedCount: 1
        )
    }

    private func startNext() {
        guard active < Self.concurrency, let (collection, completion) = queue.popFirst() else { return }
        active += 1
        collection.start(
            onReactor { [self] artifacts in
                active -= 1
                completion(artifacts)
                startNext()
            }
        )
    }
}
