internal import DequeModule
internal import Reactor
internal import RunModel
internal import Store
internal import System

/// Finds the existing run for a repeated submission: the run of the same idempotency key, or the run of the same
/// specification.
@ReactorActor
final class Deduplicator {
    typealias Completion = @ReactorActor (Result<SubmitResult, SubmissionError>) -> Void

    private let admission: Admission
    private let reader: RunReader
    private let store: RunStore
    private var keys = IdempotencyCache()
    private var keyLookups = SingleFlight<IdempotencyCache.Name, Result<IdempotencyRecord, SubmissionError>>()
    private var results = ResultCache()
    private var resultLookups = SingleFlight<ResultCache.Name, Result<Run, SubmissionError>>()

    init(admission: Admission, scheduler: Scheduler, reader: RunReader, store: RunStore) {
        (self.admission, self.reader, self.store) = (admission, reader, store)
        scheduler.onFinish = { [weak self] in self?.runFinished($0) }
        admission.onAbandon = { [weak self] in self?.runAbandoned($0) }
    }

    /// Accepts a run, or finds the existing run of the submission's key or specification.
    ///
    /// The key has precedence: its run is returned even if the service accepts no new runs. A rejected submission
    /// does not use up its key.
    ///
    /// - Parameters:
    ///   - submission: the submission.
    ///   - completion: called with the run or the reason of the rejection, immediately if no lookup is necessary.
    func submit(_ submission: Submission, _ completion: @escaping Completion) {
        guard let key = submission.key else { return submitWithoutKey(submission, completion) }
        let name = IdempotencyCache.Name(principal: submission.principal, text: key.text)
        if let record = keys[name], record.isValid(at: .now) { return complete(completion, with: record, of: key) }
        let isFirst = keyLookups.begin(name) { [self] result in
            switch result {
            case .success(let record): complete(completion, with: record, of: key)
            case .failure(let error): completion(.failure(error))
            }
        }
        if isFirst { findKey(name, of: submission, key, completion) }
    }

    /// Forgets a run that has finished.
    ///
    /// From then on, the database finds its result.
    func runFinished(_ id: RunID) { results.remove(id) }

    /// Forgets a run that was abandoned.
    func runAbandoned(_ id: RunID) {
        keys.remove(of: id)
        results.remove(id)
    }

    // MARK: Idempotency keys

    /// Finds the run of a key in the database, or accepts a new run for the key.
    private func findKey(
        _ name: IdempotencyCache.Name,
        of submission: Submission,
        _ key: IdempotencyKey,
        _ completion: @escaping Completion
    ) {
        store.findKey(
            key.text,
            of: submission.principal,
            onReactor { [self] result in
                switch result {
                case .failure(let error):
                    completion(.failure(.notStored(error)))
                    endKeyLookup(name, .failure(.notStored(error)))
                case .success(let record?) where record.isValid(at: .now):
                    complete(completion, with: record, of: key)
                    endKeyLookup(name, .success(record))
                case .success:
                    submitWithoutKey(submission) { [self] result in
                        completion(result)
                        let record = result.map {
                            IdempotencyRecord(key, for: $0.run.id, since: .now, isCached: $0.isCached)
                        }
                        endKeyLookup(name, record)
                    }
                }
            }
        )
    }

    private func endKeyLookup(_ name: IdempotencyCache.Name, _ result: Result<IdempotencyRecord, SubmissionError>) {
        if case .success(let record) = result { keys.insert(record, for: name) }
        for completion in keyLookups.end(name) { completion(result) }
    }

    /// Completes a submission with the run of the first request with the same key.
    private func complete(
        _ completion: @escaping Completion,
        with record: IdempotencyRecord,
        of key: IdempotencyKey
    ) {
        guard record.key.body == key.body else { return completion(.failure(admission.rejected(.keyTaken))) }
        func complete(with run: Run) { completion(.success(SubmitResult(run: run, isCached: record.isCached))) }
        if let run = reader.run(record.run) { return complete(with: run) }
        Task { @ReactorActor in
            do throws(StoreError) {
                if let run = try await reader.find(record.run) {
                    complete(with: run)
                } else {
                    // A client that repeats a request does not want a second execution.
                    completion(.failure(admission.rejected(.runDeleted(record.run))))
                }
            } catch { completion(.failure(.notStored(error))) }
        }
    }

    // MARK: Results of the same specification

    private func submitWithoutKey(_ submission: Submission, _ completion: @escaping Completion) {
        guard let digest = submission.cacheDigest else { return completion(accept(submission)) }
        let name = ResultCache.Name(principal: submission.principal, digest: digest)
        if let run = results[name].flatMap({ reader.run($0) }) { return share(run, submission, completion) }
        let isFirst = resultLookups.begin(name) { [self] result in
            switch result {
            case .success(let run): share(run, submission, completion)
            case .failure(let error): completion(.failure(error))
            }
        }
        if isFirst { findResult(name, of: submission, completion) }
    }

    /// Finds a run of the same specification in the database, or accepts a new run.
    private func findResult(
        _ name: ResultCache.Name,
        of submission: Submission,
        _ completion: @escaping Completion
    ) {
        store.findExited(
            name.digest,
            of: submission.principal,
            onReactor { [self] result in
                // With other protections the earlier run could have ended differently.
                if let earlier = try? result.get()?.run,
                    earlier.enforcement == admission.enforcement(of: submission.specification)
                {
                    share(earlier, submission, completion)
                    return endResultLookup(name, .success(earlier))
                }
                let result = accept(submission)
                if case .success(let new) = result, new.run.state != .finished { results.insert(new.run.id, for: name) }
                completion(result)
                endResultLookup(name, result.map(\.run))
            }
        )
    }

    private func endResultLookup(_ name: ResultCache.Name, _ result: Result<Run, SubmissionError>) {
        for completion in resultLookups.end(name) { completion(result) }
    }

    private func accept(_ submission: Submission) -> Result<SubmitResult, SubmissionError> {
        Result { () throws(SubmissionError) in
            SubmitResult(run: try admission.accept(submission), isCached: false)
        }
    }

    /// Completes a submission with an existing run, after the submission's key, if it has one, was stored for that run.
    private func share(_ run: Run, _ submission: Submission, _ completion: @escaping Completion) {
        guard let key = submission.key else { return completion(.success(SubmitResult(run: run, isCached: true))) }
        let record = IdempotencyRecord(key, for: run.id, since: .now, isCached: true)
        let stored = onReactor { [self] (error: StoreError?) in
            if let error { return completion(.failure(.notStored(error))) }
            completion(.success(SubmitResult(run: reader.run(run.id) ?? run, isCached: true)))
        }
        store.saveKey(record, of: submission.principal, stored)
    }
}

/// The unfinished runs whose results later submissions of the same specification may share.
private struct ResultCache {
    struct Name: Hashable {
        let principal: String
        let digest: SHA256Digest
    }

    private var runs: [Name: RunID] = [:]
    private var names: [RunID: Name] = [:]

    subscript(name: Name) -> RunID? { runs[name] }

    mutating func insert(_ run: RunID, for name: Name) {
        runs[name] = run
        names[run] = name
    }

    mutating func remove(_ run: RunID) {
        guard let name = names.removeValue(forKey: run) else { return }
        runs[name] = nil
    }
}

/// Coalesces concurrent lookups of one key: the first caller does the work, later callers share its result.
struct SingleFlight<Key: Hashable, Value> {
    typealias Completion = @ReactorActor (Value) -> Void

    private var waiting: [Key: [Completion]] = [:]

    /// Begins a lookup, or waits for the one that is in progress.
    ///
    /// - Parameters:
    ///   - key: the key.
    ///   - completion: stored as one of the completions that ``end(_:)`` returns if a lookup is in progress.
    /// - Returns: whether the caller must do the work and then call ``end(_:)``.
    mutating func begin(_ key: Key, otherwise completion: @escaping Completion) -> Bool {
        guard waiting[key]?.append(completion) == nil else { return false }
        waiting[key] = []
        return true
    }

    /// Ends a lookup and returns the completions of the later callers, in the order of their calls.
    mutating func end(_ key: Key) -> [Completion] { waiting.removeValue(forKey: key) ?? [] }
}

/// The most recently used idempotency keys, so that a request repeated within seconds does not wait for the database.
struct IdempotencyCache {
    struct Name: Hashable {
        let principal: String
        let text: String
    }

    /// The maximum number of cached keys.
    ///
    /// The database holds all keys.
    private static let capacity = 10_000

    private var records: [Name: IdempotencyRecord] = [:]
    private var order: Deque<Name> = []

    subscript(name: Name) -> IdempotencyRecord? { records[name] }

    mutating func insert(_ record: IdempotencyRecord, for name: Name) {
        if records.updateValue(record, forKey: name) == nil { order.append(name) }
        while order.count > Self.capacity, let oldest = order.popFirst() { records[oldest] = nil }
    }

    /// Removes all keys of a run that was abandoned.
    ///
    /// No client got that run as a response.
    mutating func remove(of run: RunID) {
        guard records.contains(where: { $0.value.run == run }) else { return }
        records = records.filter { $0.value.run != run }
        order.removeAll { records[$0] == nil }
    }
}
