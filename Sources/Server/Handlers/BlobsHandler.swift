internal import HTTPServer
internal import Identity
internal import Reactor
internal import Service
internal import Store
internal import System

/// The handler of `PUT` and `GET /blobs/sha256:{hex}`.
@ReactorActor
struct BlobsHandler {
    let blobs: BlobAccess
    let publicAddress: PublicAddress
    let loop: ServerLoop

    // MARK: PUT

    /// Begins an upload when the head of its request has arrived, so that the body is written to disk as it arrives.
    ///
    /// - Throws: the response to an upload that is rejected. Its body is not read.
    func beginUpload(_ request: AuthenticatedRequest) throws(Problem) -> BodyDecision {
        let upload = try upload(request, bytes: request.exchange.contentLength)
        return .stream(BlobSink(upload), maximumBytes: blobs.maximumBytes)
    }

    private func upload(_ request: AuthenticatedRequest, bytes: Int?) throws(Problem) -> BlobUpload {
        let (exchange, digest) = (request.exchange, try Self.digest(request))
        // A larger blob never fits, regardless of the free space.
        guard bytes ?? 0 <= blobs.maximumBytes else {
            throw Problem(
                status: 413,
                detail: "The body has \(bytes ?? 0, counting: "byte"); a blob may have at most \(blobs.maximumBytes)."
            )
        }
        do throws(BlobError) {
            return try blobs.upload(digest, bytes: bytes, of: request.principal) { [weak exchange, loop] in
                exchange?.resumeBody()
                loop.run()
            }
        } catch {
            throw Problem(error)
        }
    }

    /// Finishes an upload whose body is complete.
    func put(_ request: AuthenticatedRequest) async throws(Problem) -> Reply.Content {
        // `beginUpload` is not called for a request with an empty body.
        let upload =
            if let sink = request.exchange.sink as? BlobSink { sink.upload } else { try upload(request, bytes: 0) }
        let arrival: BlobUploadResult
        do throws(BlobError) { arrival = try await blobs.finish(upload) } catch { throw Problem(error) }
        let tag = Self.tag(upload.digest).header
        switch arrival {
        case .created:
            let location = HeaderField("Location", publicAddress.base(of: request.exchange) + request.http.target)
            return .response(Response(status: 201, headers: [location, tag]))
        case .existing: return .response(Response(status: 204, headers: [tag]))
        }
    }

    // MARK: GET

    func read(_ request: AuthenticatedRequest) throws(Problem) -> Response {
        let digest = try Self.digest(request)
        guard let blob = blobs.find(digest, for: request.principal) else { throw .unknownBlob(digest) }
        return try Self.content(of: blob, digest).response(to: request.http)
    }

    /// Returns the content of a blob's file.
    static func content(of blob: StoredBlob, _ digest: SHA256Digest) -> RangedContent {
        RangedContent(tag: tag(digest), length: blob.bytes) { range throws(Problem) in
            guard let file = try? OpenFile(path: blob.path) else { throw .unknownBlob(digest) }
            return .file(file, offset: range.lowerBound, count: range.count)
        }
    }

    private static func tag(_ digest: SHA256Digest) -> EntityTag { EntityTag("sha256:\(digest.hexadecimal)") }

    /// Returns the digest in the path, whose only notation is lowercase, so that a blob has one URL.
    private static func digest(_ request: AuthenticatedRequest) throws(Problem) -> SHA256Digest {
        let text = request.parameters["hex"] ?? ""
        guard let digest = SHA256Digest(hexadecimal: text), digest.hexadecimal == text else {
            throw Problem(
                status: 400,
                detail: "A blob's name must be \"sha256:\" and the 64 lowercase hexadecimal digits of its digest."
            )
        }
        return digest
    }
}

/// Passes the body of a request to the upload of a blob.
private final class BlobSink: BodySink {
    let upload: BlobUpload

    init(_ upload: BlobUpload) { self.upload = upload }

    func receive(_ piece: UnsafeRawBufferPointer) -> BodyBackpressure {
        switch upload.append(piece) {
        case .taken: return .accepted
        case .full: return .blocked
        case .failed(let error):
            let problem = Problem(error)
            return .refused(status: problem.status, detail: problem.detail)
        }
    }

    func end() { upload.cancel() }
}
