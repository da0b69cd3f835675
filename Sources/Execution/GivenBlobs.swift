internal import Glibc
internal import Reactor
internal import Runs
internal import Sandbox

/// The blobs among what a run is given.
///
/// They are opened a few at a time: a thousand descriptors for each run that starts would be more than a server has.
struct GivenBlobs {
    private let files: [BlobFile]
    private let digests: [String]

    /// Looks blobs up.
    ///
    /// - Parameters:
    ///   - contents: what the run is given; of each blob there is one here.
    ///   - find: where one is.
    /// - Throws: one of them is not there any more.
    init(_ contents: [Content], _ find: (String) -> BlobFile?) throws(SystemError) {
        var seen: Set<String> = []
        digests = contents.compactMap(\.blob).filter { seen.insert($0).inserted }
        var files: [BlobFile] = []
        for digest in digests {
            guard let file = find(digest) else { throw SystemError("open a blob", number: ENOENT) }
            files.append(file)
        }
        self.files = files
    }

    /// How many there are.
    var count: Int { files.count }

    /// Where a slot gets a file's bytes from.
    func source(of content: Content) -> SlotFile.Source {
        guard let digest = content.blob, let index = digests.firstIndex(of: digest) else {
            return .bytes(content.bytes ?? [])
        }
        return .descriptor(index: index, count: files[index].bytes)
    }

    /// Sends them all to a slot that has been told to start.
    @Reactor
    func send(to slot: Slot) throws(SystemError) {
        var rest = files[...]
        while !rest.isEmpty {
            let part = rest.prefix(Slot.blobsAtOnce)
            var descriptors: [Int32] = []
            defer { for descriptor in descriptors { close(descriptor) } }
            for file in part { descriptors.append(try Self.open(file)) }
            try slot.send(blobs: descriptors)
            rest = rest.dropFirst(part.count)
        }
    }

    /// A descriptor for a content that is a blob, to be closed by the caller; `nil` if it is none.
    func open(_ content: Content) throws(SystemError) -> Int32? {
        guard let digest = content.blob, let index = digests.firstIndex(of: digest) else { return nil }
        return try Self.open(files[index])
    }

    private static func open(_ file: BlobFile) throws(SystemError) -> Int32 {
        let descriptor = Glibc.open(file.path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { throw SystemError("open a blob") }
        return descriptor
    }
}
