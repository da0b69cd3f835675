internal import HTTPServer
internal import Store

/// Hands a request's body to a blob's upload.
final class BlobSink: BodySink {
    let upload: BlobUpload

    init(_ upload: BlobUpload) { self.upload = upload }

    func receive(_ piece: UnsafeRawBufferPointer) -> BodySinkAnswer {
        switch upload.append(piece) {
        case .taken: return .taken
        case .full: return .later
        case .failed(let error):
            let problem = Problem(blob: error)
            return .refused(status: problem.status, detail: problem.detail)
        }
    }

    func end() { upload.cancel() }
}
