internal import Reactor
internal import Runs
internal import Store

extension RunService {
    /// Accepts a run, or finds the earlier one that answers for it: that of the same key, or the very same one.
    ///
    /// A key is looked at first: what it stands for is the answer also when nothing new is accepted any more. A wish that is
    /// refused takes no key.
    ///
    /// - Parameters:
    ///   - submission: what to run.
    ///   - completion: called with the run, or why there is none; at once where nothing has to be looked up.
    public func submit(
        _ submission: Submission,
        _ completion: @escaping @Reactor (Result<Acceptance, SubmissionError>) -> Void
    ) {
        guard let key = submission.key else { return accept(submission, completion) }
        let name = RecentKeys.Name(principal: submission.principal, text: key.text)
        if let use = keys[name], use.isValid(at: .now) { return answer(use, to: key, completion) }
        let isFirst = keyMeetings.isFirst(name) { [self] result in
            switch result {
            case .success(let use): answer(use, to: key, completion)
            case .failure(let error): completion(.failure(error))
            }
        }
        guard isFirst else { return }
        store.findKey(key.text, of: submission.principal) { [self] result in
            Task { @Reactor in
                switch result {
                case .failure(let error):
                    completion(.failure(.notStored(error)))
                    tell(name, .failure(.notStored(error)))
                case .success(let use?) where use.isValid(at: .now):
                    answer(use, to: key, completion)
                    tell(name, .success(use))
                case .success:
                    accept(submission) { [self] result in
                        completion(result)
                        tell(
                            name,
                            result.map { KeyUse(key, for: $0.run.id, since: .now, isCached: $0.isCached) }
                        )
                    }
                }
            }
        }
    }

    private func tell(_ name: RecentKeys.Name, _ result: Result<KeyUse, SubmissionError>) {
        if case .success(let use) = result { keys.insert(use, of: name) }
        for listener in keyMeetings.end(name) { listener(result) }
    }

    /// Answers a request as the first one with its key was.
    private func answer(
        _ use: KeyUse,
        to key: IdempotencyKey,
        _ completion: @escaping @Reactor (Result<Acceptance, SubmissionError>) -> Void
    ) {
        guard use.key.body == key.body else { return completion(.failure(refused(.keyTaken))) }
        find(use.run) { result in
            switch result {
            case .success(let run?): completion(.success(Acceptance(run: run, isCached: use.isCached)))
            // Whoever sends a request again does not want it done twice.
            case .success(nil): completion(.failure(self.refused(.keyForgotten(use.run))))
            case .failure(let error): completion(.failure(.notStored(error)))
            }
        }
    }

    // MARK: The very same run

    private func accept(
        _ submission: Submission,
        _ completion: @escaping @Reactor (Result<Acceptance, SubmissionError>) -> Void
    ) {
        guard let digest = submission.cacheDigest else { return completion(accepted(submission)) }
        let name = SharedRuns.Name(principal: submission.principal, digest: digest)
        if let run = shared[name].flatMap({ run($0) }) { return share(run, submission, completion) }
        let isFirst = cacheMeetings.isFirst(name) { [self] result in
            switch result {
            case .success(let run): share(run, submission, completion)
            case .failure(let error): completion(.failure(error))
            }
        }
        guard isFirst else { return }
        store.findExited(digest, of: submission.principal) { [self] result in
            Task { @Reactor in
                // Under other walls it could have ended otherwise.
                if let earlier = try? result.get()?.run,
                    earlier.enforcement == enforcement(of: submission.specification)
                {
                    share(earlier, submission, completion)
                    for listener in cacheMeetings.end(name) { listener(.success(earlier)) }
                    return
                }
                let result = accepted(submission)
                if case .success(let new) = result, new.run.state != .finished { shared.insert(new.run.id, of: name) }
                completion(result)
                for listener in cacheMeetings.end(name) { listener(result.map(\.run)) }
            }
        }
    }

    private func accepted(_ submission: Submission) -> Result<Acceptance, SubmissionError> {
        do throws(SubmissionError) {
            let run = try submit(
                submission.specification,
                of: submission.principal,
                key: submission.key,
                traceID: submission.trace?.traceID,
                seesAllBlobs: submission.seesAllBlobs
            )
            return .success(Acceptance(run: run, isCached: false))
        } catch { return .failure(refused(error)) }
    }

    private func share(
        _ run: Run,
        _ submission: Submission,
        _ completion: @escaping @Reactor (Result<Acceptance, SubmissionError>) -> Void
    ) {
        guard let key = submission.key else { return completion(.success(Acceptance(run: run, isCached: true))) }
        let use = KeyUse(key, for: run.id, since: .now, isCached: true)
        store.keep(use, of: submission.principal) { [self] error in
            Task { @Reactor in
                completion(
                    error.map { .failure(.notStored($0)) }
                        ?? .success(Acceptance(run: self.run(run.id) ?? run, isCached: true))
                )
            }
        }
    }
}
