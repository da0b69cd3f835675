internal import Digests
internal import HTTPServer
internal import Store

extension Problem {
    /// Why a blob is not taken.
    init(blob error: BlobError) {
        switch error {
        case .wrongDigest(let digest):
            self.init(
                status: 422,
                detail: "What was sent is not this blob: its digest is sha256:\(digest.hexadecimal)."
            )
        case .overQuota(let bytes):
            self.init(
                status: 507,
                detail: "Blobs may take \(bytes) bytes here, and what is left of them does not do. Try again later.",
                headers: [HeaderField("Retry-After", "5")]
            )
        case .tooManyUploads(let count):
            self.init(
                status: 503,
                detail: "\(count) blobs are on their way in already. Try again later.",
                headers: [HeaderField("Retry-After", "1")]
            )
        case .notStored(let error) where error.isOutOfSpace:
            self.init(
                status: 507,
                detail: "The server's disk is full: the blob cannot be kept. Try again when there is room.",
                headers: [HeaderField("Retry-After", "5")]
            )
        case .notStored:
            self.init(
                status: 503,
                detail: "The server cannot write blobs at the moment. Try again later.",
                headers: [HeaderField("Retry-After", "5")]
            )
        case .cutOff: self.init(status: 400, detail: "The blob was cut off.")
        }
    }
}
