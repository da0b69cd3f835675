internal import CoreMetrics
internal import Execution
internal import Logging
internal import Reactor
internal import Runs
internal import Store

/// How a run ends.
extension RunService {
    /// Its command has ended, and every process of it is gone: it is over once what it has left is collected.
    func ended(_ id: RunID, _ conclusion: Conclusion, _ globs: [Glob]) {
        guard !globs.isEmpty, let run = active[id] else { return close(id, conclusion, .none) }
        guard let files = conclusion.leftFiles else {
            return close(id, conclusion, ArtifactCollector.gone(conclusion.outcome))
        }
        run.collection = collector.collect(files, globs, of: id, owner: run.principal) { [weak self] artifacts in
            self?.close(id, conclusion, artifacts)
        }
    }

    private func close(_ id: RunID, _ conclusion: Conclusion, _ artifacts: CollectedArtifacts) {
        let run = remove(id)
        metrics.ended(conclusion, spawn: run?.execution?.spawnDuration)
        for failure in run?.failures ?? [] {
            logger.error("output of a run could not be kept", metadata: ["run": "\(id)", "error": "\(failure)"])
        }
        change(id) { run?.showOutput(in: &$0) }
        run?.end()
        var usage = conclusion.usage
        usage?.queued = run?.queued
        finish(id, conclusion.outcome, usage: usage, artifacts, order: run?.order, traceID: run?.traceID)
        // One that was not accepted after all.
        if !artifacts.kept.isEmpty, store.run(id) == nil { store.abandon(id) }
        startWaiting()
        reportIdle()
    }

    func finish(
        _ id: RunID,
        _ outcome: Outcome,
        usage: Usage?,
        _ artifacts: CollectedArtifacts = .none,
        order: OutputOrder? = nil,
        traceID: String? = nil
    ) {
        if case .internalError(let failure) = outcome {
            logger.error("a run failed inside the service", metadata: ["run": "\(id)", "error": "\(failure)"])
        }
        let result = Run.Result(outcome: outcome, usage: usage, finishedAt: .now, artifacts: artifacts)
        change(id, order: order) { $0.finish(result) }
        shared.remove(id)
        let waiting = waiters.removeValue(forKey: id) ?? []
        let stored = store.run(id)
        if let followed = followed.removeValue(forKey: id) {
            followed.onIdle = nil
            if let stored { settle(stored.run) { followed.settle() } }
        }
        if let stored {
            metrics.finished(outcome.name)
            logger.debug("run ended", metadata: Self.logged(stored, usage, traceID))
        }
        for waiter in waiting { waiter.complete(stored?.run) }
    }

    /// What the log says of a run: neither its command nor its environment nor what it wrote.
    private static func logged(_ stored: StoredRun, _ usage: Usage?, _ traceID: String?) -> Logger.Metadata {
        var metadata: Logger.Metadata = ["run": "\(stored.run.id)"]
        metadata["outcome"] = stored.run.result.map { "\($0.outcome.name)" }
        metadata["seconds"] = usage.map { .stringConvertible($0.wall) }
        if !stored.principal.isEmpty { metadata["principal"] = "\(stored.principal)" }
        metadata["trace"] = traceID.map { "\($0)" }
        return metadata
    }
}
