internal import Digests
internal import Glibc
internal import Runs

/// The file of a blob that is on its way in.
final class IncomingBlob: @unchecked Sendable {
    // SAFETY: the variables are used by one job at a time, and one job is made after the other, each under its upload's lock.
    private var descriptor: Int32
    private var hasher = SHA256Hasher()

    /// Its name in the folder.
    let number: Int
    /// Whose it is going to be.
    let owner: String
    /// The run that is going to hold it; `nil`: it is an upload, and its owner's own.
    let holder: RunID?
    private let path: String

    init(_ folder: BlobFolder, number: Int, owner: String, holder: RunID? = nil) throws(StoreError) {
        path = folder.incomingPath(number)
        descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw DataDirectory.error("open", path) }
        (self.number, self.owner, self.holder) = (number, owner, holder)
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    func append(_ bytes: UnsafeRawBufferPointer) throws(StoreError) {
        hasher.update(bytes)
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw DataDirectory.error("write", path) }
            rest = rest.dropFirst(count)
        }
    }

    /// The digest of all that was written.
    func finish() -> SHA256Digest { hasher.finish() }

    /// Has the disk write it.
    func synchronize() throws(StoreError) {
        guard fsync(descriptor) == 0 else { throw DataDirectory.error("fsync", path) }
    }

    func closeFile() {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
    }
}
