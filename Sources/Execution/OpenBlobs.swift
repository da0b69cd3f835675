internal import Glibc
internal import Reactor
internal import Runs
internal import Sandbox

/// The blobs that a run is given, opened: whatever becomes of their names, they are there.
final class OpenBlobs {
    /// In the order of the digests.
    private(set) var descriptors: [Int32] = []
    private var sizes: [Int] = []
    private let digests: [String]

    /// Opens blobs.
    ///
    /// - Parameters:
    ///   - digests: their names.
    ///   - path: where one can be opened.
    /// - Throws: one of them is not there any more.
    init(_ digests: [String], _ path: (String) -> String?) throws(SystemError) {
        self.digests = digests
        for digest in digests {
            guard let path = path(digest) else { throw SystemError("open a blob", number: ENOENT) }
            let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
            guard descriptor >= 0 else { throw SystemError("open a blob") }
            descriptors.append(descriptor)
            var status = stat()
            guard fstat(descriptor, &status) == 0 else { throw SystemError("fstat") }
            sizes.append(Int(status.st_size))
        }
    }

    deinit {
        for descriptor in descriptors { close(descriptor) }
    }

    /// Where a slot gets a file's bytes from.
    func source(of content: Content) -> SlotFile.Source {
        guard let digest = content.blob, let index = digests.firstIndex(of: digest) else {
            return .bytes(content.bytes ?? [])
        }
        return .descriptor(index: index, count: sizes[index])
    }

    /// A descriptor of its own for a content that is a blob, to be closed by the caller; `nil` if it is none.
    func duplicate(of content: Content) throws(SystemError) -> Int32? {
        guard let digest = content.blob, let index = digests.firstIndex(of: digest) else { return nil }
        let descriptor = fcntl(descriptors[index], F_DUPFD_CLOEXEC, 0)
        guard descriptor >= 0 else { throw SystemError("fcntl") }
        return descriptor
    }
}
