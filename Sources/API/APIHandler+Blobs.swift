internal import Digests
internal import HTTPServer
internal import Identity
internal import Reactor
internal import Service
internal import Store

/// `PUT` and `GET /blobs/sha256:{hex}`.
extension APIHandler {
    // MARK: PUT

    /// Decides what is to be done with a body, when its request's head is there.
    ///
    /// A blob's goes to the disk, if its sender may send one; else the answer is given here, and the body is not read. Every other
    /// body is kept in memory.
    func decide(_ exchange: Exchange) -> BodyDecision {
        guard case .matched(.putBlob, let parameters) = match(exchange.request) else { return .buffer }
        exchange.answersSoon = true
        observer.received(exchange)
        do throws(Problem) {
            let call = try admit(exchange, to: .putBlob, parameters)
            let sink = BlobSink(try upload(call, bytes: exchange.announcedBytes))
            return .stream(sink, maximumBytes: service.maximumBlobBytes)
        } catch {
            exchange.respond(error.response)
            return .buffer
        }
    }

    private func upload(_ call: Call, bytes: Int?) throws(Problem) -> BlobUpload {
        let (exchange, digest) = (call.exchange, try Self.digest(call))
        let most = service.maximumBlobBytes
        // It never fits, whatever else is there.
        guard bytes ?? 0 <= most else { throw Problem(status: 413, detail: "A blob may have \(most) bytes.") }
        do throws(BlobError) {
            return try service.upload(digest, bytes: bytes, of: call.principal) { [weak exchange, answered] in
                exchange?.continueBody()
                answered()
            }
        } catch {
            throw Problem(blob: error)
        }
    }

    func putBlob(_ call: Call) throws(Problem) {
        let exchange = call.exchange
        // An empty body never was one that had to be decided about.
        let upload: BlobUpload
        if let sink = exchange.sink as? BlobSink {
            upload = sink.upload
        } else {
            upload = try self.upload(call, bytes: 0)
        }
        service.finish(upload) { [answered] result in
            let tag = HeaderField("ETag", EntityTag("sha256:\(upload.digest.hexadecimal)").text)
            switch result {
            case .success(.created):
                let location = HeaderField("Location", call.request.target)
                exchange.respond(Response(status: 201, headers: [location, tag]))
            case .success(.known): exchange.respond(Response(status: 204, headers: [tag]))
            case .failure(let error): exchange.respond(Problem(blob: error).response)
            }
            answered()
        }
    }

    // MARK: GET

    func readBlob(_ call: Call) throws(Problem) {
        let digest = try Self.digest(call)
        guard let blob = service.blob(digest, for: call.principal) else { throw Self.unknownBlob(digest) }
        call.exchange.respond(try Self.answer(call.request, blob, digest))
    }

    /// A blob's bytes, or the part of them that is asked for.
    static func answer(
        _ request: Request,
        _ blob: BlobStore.Found,
        _ digest: SHA256Digest
    ) throws(Problem) -> Response {
        let tag = EntityTag("sha256:\(digest.hexadecimal)")
        var headers = [
            HeaderField("Content-Type", "application/octet-stream"),
            HeaderField("X-Content-Type-Options", "nosniff"),
            HeaderField("Accept-Ranges", "bytes"), HeaderField("ETag", tag.text),
        ]
        if tag.isKnown(to: request) {
            return Response(status: 304, headers: [headers[headers.count - 1]])
        }
        let file: OpenFile
        do { file = try OpenFile(path: blob.path) } catch { throw Self.unknownBlob(digest) }
        guard let range = ByteRange(request), tag.allowsRange(of: request, isKnown: true) else {
            return Response(status: 200, headers: headers, body: .file(file, offset: 0, count: blob.bytes))
        }
        guard let bytes = range.bytes(of: blob.bytes) else {
            throw Problem(
                status: 416,
                detail: "There are \(blob.bytes) bytes, and none of them is in the range.",
                headers: [HeaderField("Content-Range", "bytes */\(blob.bytes)"), HeaderField("Accept-Ranges", "bytes")]
            )
        }
        let place = "bytes \(bytes.lowerBound)-\(bytes.upperBound - 1)/\(blob.bytes)"
        headers.append(HeaderField("Content-Range", place))
        let body = ResponseBody.file(file, offset: bytes.lowerBound, count: bytes.count)
        return Response(status: 206, headers: headers, body: body)
    }

    static func unknownBlob(_ digest: SHA256Digest) -> Problem {
        Problem(status: 404, detail: "There is no blob sha256:\(digest.hexadecimal) here, or not any more.")
    }

    /// The digest that the path names: it has one way of being written, so that a blob has one name.
    private static func digest(_ call: Call) throws(Problem) -> SHA256Digest {
        let text = call.parameters["hex"] ?? ""
        guard let digest = SHA256Digest(hexadecimal: text), digest.hexadecimal == text else {
            throw Problem(
                status: 400,
                detail: "A blob's name is \"sha256:\" and the 64 hexadecimal digits of its digest, in lower case."
            )
        }
        return digest
    }
}
