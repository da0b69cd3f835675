internal import Glibc
internal import Reactor
internal import RunModel
internal import Sandbox
internal import System

/// The file of a blob.
package struct BlobFile: Sendable, Hashable {
    /// The path on the host.
    package let path: String
    /// The size in bytes.
    package let bytes: Int

    package init(path: String, bytes: Int) {
        self.path = path
        self.bytes = bytes
    }
}

/// The blobs among a run's input.
///
/// The blobs are opened a few at a time, because a server cannot spare a thousand descriptors for each run.
struct InputBlobs {
    private let files: [BlobFile]
    /// The position of each blob in ``files``.
    private let indices: [String: Int]

    /// Looks the blobs up.
    ///
    /// - Parameters:
    ///   - contents: the run's input. A blob that occurs twice is looked up once.
    ///   - find: returns the file of the blob with a digest, or `nil` if there is none.
    /// - Throws: ENOENT when a blob has been deleted.
    init(_ contents: [Content], _ find: (String) -> BlobFile?) throws(SystemError) {
        var files: [BlobFile] = []
        var indices: [String: Int] = [:]
        for case .blob(let digest) in contents where indices[digest] == nil {
            guard let file = find(digest) else { throw SystemError("open a blob", number: ENOENT) }
            indices[digest] = files.count
            files.append(file)
        }
        (self.files, self.indices) = (files, indices)
    }

    /// The number of different blobs.
    var count: Int { files.count }

    /// Returns the entry that a slot creates.
    func slotFile(_ file: RunFile) -> SlotFile {
        switch file.kind {
        case .regular(let content, let isExecutable):
            SlotFile(path: file.path, source: source(of: content), isExecutable: isExecutable)
        case .directory: SlotFile(path: file.path, source: .bytes([]), kind: .directory)
        case .symbolicLink(let target):
            SlotFile(path: file.path, source: .bytes(Array(target.utf8)), kind: .symbolicLink)
        case .archive(let content): SlotFile(path: file.path, source: source(of: content), kind: .archive)
        }
    }

    /// Returns the source from which a slot gets the bytes of a content.
    private func source(of content: Content) -> SlotFile.Source {
        guard let digest = content.blob, let index = indices[digest] else { return .bytes(content.bytes ?? []) }
        return .descriptor(index: index, count: files[index].bytes)
    }

    /// Sends all blobs to a slot that has received its start message.
    @ReactorActor
    func send(to slot: Slot) throws(SystemError) {
        var rest = files[...]
        while !rest.isEmpty {
            let part = rest.prefix(Slot.maximumBlobsPerPacket)
            var descriptors: [Int32] = []
            defer { for descriptor in descriptors { close(descriptor) } }
            for file in part { descriptors.append(try Self.open(file)) }
            try slot.send(blobs: descriptors)
            rest = rest.dropFirst(part.count)
        }
    }

    /// Opens the blob of a content, or returns `nil` if the content is not a blob.
    ///
    /// The caller closes the descriptor.
    func open(_ content: Content) throws(SystemError) -> Int32? {
        guard let digest = content.blob, let index = indices[digest] else { return nil }
        return try Self.open(files[index])
    }

    private static func open(_ file: BlobFile) throws(SystemError) -> Int32 {
        let descriptor = Glibc.open(file.path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { throw SystemError("open a blob") }
        return descriptor
    }
}
