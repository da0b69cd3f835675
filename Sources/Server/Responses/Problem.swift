internal import Glibc
internal import HTTPServer
internal import JSON
internal import RunAPI
internal import RunModel
internal import Sandbox
internal import Service
internal import Store
internal import System

/// An error response: a problem document and its headers.
struct Problem: Error {
    /// The body of the response.
    var document: ProblemDocument
    /// The headers of the response, except the content type.
    var headers: [HeaderField] = []

    init(status: Int, detail: String, faults: [JSONFault] = [], headers: [HeaderField] = []) {
        self.init(ProblemDocument(status: status, detail: detail, faults: faults), headers: headers)
    }

    init(_ document: ProblemDocument, headers: [HeaderField] = []) {
        (self.document, self.headers) = (document, headers)
    }

    /// Creates a problem that may pass if the client retries.
    ///
    /// - Parameters:
    ///   - status: the status of the response.
    ///   - detail: the detail of the problem.
    ///   - seconds: the value of `Retry-After`.
    private init(status: Int, detail: String, retryAfter seconds: Int) {
        self.init(status: status, detail: detail, headers: [HeaderField("Retry-After", "\(seconds)")])
    }

    var status: Int { document.status }
    var detail: String { document.detail }
    var faults: [JSONFault] {
        get { document.faults }
        set { document.faults = newValue }
    }

    var response: Response {
        Response(
            status: status,
            headers: [HeaderField("Content-Type", "application/problem+json")] + headers,
            body: .bytes(document.render())
        )
    }
}

// MARK: Requests

extension Problem {
    static func repeatedQueryParameter(_ name: String) -> Problem {
        Problem(status: 400, detail: "The query parameter \"\(name)\" is repeated. Send it once.")
    }

    /// Returns the problem of a query parameter whose value must be one of the `expected` ones.
    static func invalidQueryParameter(_ name: String, _ expected: String) -> Problem {
        Problem(status: 400, detail: "The query parameter \"\(name)\" must be \(expected).")
    }

    static func unknownQueryParameter(_ name: String, allowed: Set<String>) -> Problem {
        var advice =
            allowed.isEmpty
            ? "This resource has no query parameters." : "Allowed: \(allowed.sorted().joined(separator: ", "))."
        if let nearest = Spelling.nearest(to: name, in: allowed.sorted()) {
            advice = "Did you mean \"\(nearest)\"? \(advice)"
        }
        return Problem(status: 400, detail: "The query parameter \"\(name)\" is unknown. \(advice)")
    }

    static func unknownRun(_ id: String) -> Problem {
        Problem(status: 404, detail: "Run \(id) does not exist, or was deleted.")
    }

    static func unknownBlob(_ digest: SHA256Digest) -> Problem {
        Problem(
            status: 404,
            detail: "Blob sha256:\(digest.hexadecimal) does not exist, or was deleted after its retention time."
        )
    }

    /// Creates the problem of a request over the rate limit.
    init(rateLimit state: RateState) {
        self.init(
            status: 429,
            detail: "You have reached your rate limit of \(state.quota, counting: "run") per minute. "
                + "Retry in \(state.secondsToNext) s.",
            retryAfter: state.secondsToNext
        )
    }
}

// MARK: The service

extension Problem {
    /// Creates the problem of a submission that was rejected.
    ///
    /// - Parameters:
    ///   - error: the reason of the rejection.
    ///   - submission: the submission, in which each fault has its position.
    init(_ error: SubmissionError, of submission: Submission) {
        switch error {
        case .queueFull(let waiting):
            self.init(
                status: 503,
                detail: "The queue of the server is full (\(waiting) waiting). Retry later.",
                retryAfter: 1
            )
        case .tooManyWaiting(let most):
            self.init(
                status: 429,
                detail: most == 0
                    ? "You have reached your concurrency limit, and your queue limit is 0. "
                        + "Retry when one of your runs has finished."
                    : "You have reached your queue limit (\(most)). Retry when one of your runs has finished.",
                retryAfter: 1
            )
        case .notAccepting:
            self.init(status: 503, detail: "The server is shutting down. Retry later.", retryAfter: 1)
        case .notStored(let error): self.init(error)
        case .missingBlobs(let digests) where submission.isRerun:
            let names = digests.map { "sha256:\($0)" }.joined(separator: ", ")
            self.init(
                status: 409,
                detail:
                    "Input of this run was deleted after its retention time, or belongs to another principal: \(names). "
                    + "Upload it with PUT /blobs/sha256:… and repeat the request."
            )
        case .missingBlobs(let digests):
            self.init(status: 422, detail: "The body refers to blobs that do not exist. Upload them first.")
            faults = Self.faults(of: submission.specification, missing: Set(digests))
        case .keyTaken:
            self.init(
                status: 422,
                detail: "This Idempotency-Key was used before with a different body. Use a new key for a new request."
            )
        case .runDeleted(let run):
            self.init(
                status: 409,
                detail: "Run \(run) of this Idempotency-Key was deleted. Use a new key to run the command again."
            )
        }
    }

    /// Returns a fault for each content of a specification that refers to a missing blob.
    private static func faults(of specification: RunSpecification, missing: Set<String>) -> [JSONFault] {
        func fault(_ content: Content, _ pointer: JSONPointer) -> JSONFault? {
            guard let digest = content.blob, missing.contains(digest) else { return nil }
            let detail = "the blob does not exist, or was deleted: upload it with PUT /blobs/sha256:\(digest)"
            return JSONFault(pointer: pointer.appending("blob"), detail: detail)
        }
        let input = fault(specification.standardInput, JSONPointer.root.appending("stdin"))
        let files = specification.files.map { file in
            fault(file.content, JSONPointer.root.appending("files").appending(file.path))
        }
        return ([input] + files).compactMap { $0 }
    }

    /// Creates the problem of a store that cannot read or write runs.
    init(_ error: StoreError) {
        if error.isOutOfSpace {
            self.init(
                status: 507,
                detail: "The server's disk is full, so runs cannot be stored. Retry when there is free space.",
                retryAfter: 5
            )
        } else {
            self.init(
                status: 503,
                detail: "The server cannot access its runs at the moment. Retry later.",
                retryAfter: 5
            )
        }
    }

    /// Creates the problem of a blob that was not stored.
    init(_ error: BlobError) {
        switch error {
        case .digestMismatch(let digest):
            self.init(
                status: 422,
                detail: "The body is not this blob: its digest is sha256:\(digest.hexadecimal). Check the upload."
            )
        case .overQuota(let bytes):
            self.init(
                status: 507,
                detail:
                    "The blob quota of \(bytes, counting: "byte") has no room for this upload. Retry later, or raise --blob-bytes.",
                retryAfter: 5
            )
        case .tooManyUploads(let count):
            self.init(
                status: 503,
                detail: "The server has reached its limit of \(count, counting: "concurrent upload"). Retry later.",
                retryAfter: 1
            )
        case .notStored(let error) where error.isOutOfSpace:
            self.init(
                status: 507,
                detail: "The server's disk is full, so the blob cannot be stored. Retry when there is free space.",
                retryAfter: 5
            )
        case .notStored:
            self.init(status: 503, detail: "The server cannot write blobs at the moment. Retry later.", retryAfter: 5)
        case .incomplete:
            self.init(status: 400, detail: "The body ended before the blob was complete. Upload it again.")
        }
    }

    /// Creates the problem of a server that cannot start or store a run; `nil` without a fault.
    init?(_ faults: [ReadinessFault]) {
        guard !faults.isEmpty else { return nil }
        let reasons = faults.map(Self.text).joined(separator: "; ")
        self.init(status: 503, detail: "The server cannot accept runs now: \(reasons). Retry later.", retryAfter: 1)
    }

    private static func text(_ fault: ReadinessFault) -> String {
        switch fault {
        case .stopping: "it is shutting down"
        case .launcher(let failure) where failure.number == ETIMEDOUT: "its launcher does not respond"
        case .launcher(let failure): "its launcher cannot create a sandbox (\(failure))"
        case .store(let error) where error.isOutOfSpace: "its disk is full"
        case .store(let error): "its store cannot write (\(error.operation): \(error.detail))"
        case .storeIsSilent: "its store does not respond"
        }
    }
}
