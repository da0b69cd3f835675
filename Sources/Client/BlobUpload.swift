internal import Digests

/// Gives a server the files that it does not have.
struct BlobUpload {
    /// Told what is sent, how many bytes of how many.
    typealias Progress = (_ source: String, _ sent: Int, _ of: Int) -> Void

    private let client: APIClient
    private let progress: Progress
    private var known: Set<SHA256Digest> = []

    init(_ client: APIClient, progress: @escaping Progress) { (self.client, self.progress) = (client, progress) }

    /// Sees to it that the server has a file's content; of the same content once.
    mutating func send(_ file: LocalFile) throws(ClientError) {
        guard !known.contains(file.digest) else { return }
        let target = "/blobs/\(file.blob)"
        // To ask for a blob is to use it: it is not forgotten before the run is created.
        let answer = try client.send(Request(method: "HEAD", target: target), expecting: [404])
        if answer.status == 404 { try put(file, target) }
        known.insert(file.digest)
    }

    private func put(_ file: LocalFile, _ target: String) throws(ClientError) {
        let answer = try file.withContent { descriptor throws(ClientError) in
            try client.send(
                Request(method: "PUT", target: target, body: .file(descriptor, count: file.bytes)),
                expecting: [422],
                progress: { sent throws(ClientError) in progress(file.source, sent, file.bytes) }
            )
        }
        guard answer.status != 422 else {
            throw .local("\(file.source): It changed while it was sent. Try again when it does not.")
        }
    }
}
