internal import HTTPServer
internal import JSON
internal import Runs
internal import Service
internal import Store

extension Problem {
    /// Why there is no run for a request.
    ///
    /// - Parameters:
    ///   - error: why.
    ///   - specification: what was asked for, in which each fault has its place.
    init(_ error: SubmissionError, of specification: RunSpecification) {
        let retry = [HeaderField("Retry-After", "1")]
        switch error {
        case .queueFull(let waiting):
            self.init(
                status: 503,
                detail: "\(waiting) runs are waiting already. Try again later.",
                headers: retry
            )
        case .tooManyWaiting(let most):
            self.init(
                status: 429,
                detail: most == 0
                    ? "As many of your runs as may are running, and none of them may wait. Try again later."
                    : "\(most) of your runs are waiting already, and no more may. Try again later.",
                headers: retry
            )
        case .notAccepting: self.init(status: 503, detail: "The server is being stopped.", headers: retry)
        case .notStored(let error): self.init(error)
        case .missingBlobs(let digests):
            self.init(status: 422, detail: "The body names blobs that are not here.")
            let missing = Set(digests)
            func note(_ content: Content, _ place: JSONPointer) {
                guard let digest = content.blob, missing.contains(digest) else { return }
                let detail = "there is no such blob here, or not any more: PUT /blobs/sha256:\(digest) first"
                faults.append(JSONFault(pointer: place.appending("blob"), detail: detail))
            }
            note(specification.standardInput, JSONPointer.root.appending("stdin"))
            for file in specification.files {
                note(file.content, JSONPointer.root.appending("files").appending(file.path))
            }
        case .keyTaken:
            self.init(
                status: 422,
                detail: "This Idempotency-Key came with another body before. Use a new key for another request."
            )
        case .keyForgotten(let run):
            self.init(
                status: 409,
                detail:
                    "This Idempotency-Key stands for run \(run), which has been forgotten. Use a new key to run it again."
            )
        }
    }

    /// Why runs cannot be read or written.
    init(_ error: StoreError) {
        let isFull = error.isOutOfSpace
        self.init(
            status: isFull ? 507 : 503,
            detail: isFull
                ? "The server's disk is full: runs cannot be remembered. Try again when there is room."
                : "The server cannot reach its runs at the moment. Try again later.",
            headers: [HeaderField("Retry-After", "5")]
        )
    }
}
