internal import Glibc
internal import Reactor

/// What stands in a folder, as readdir(3) tells it.
struct FolderEntry {
    /// Its kind, without having been opened.
    enum Kind {
        case file
        case folder
        case symbolicLink
        /// A FIFO, a socket, a device.
        case other
        /// The file system does not say.
        case unknown
    }

    /// Its name, which need not be UTF-8.
    let name: [UInt8]
    let kind: Kind

    private init(_ entry: UnsafePointer<dirent>) {
        let place = UnsafeRawPointer(entry).advanced(by: MemoryLayout<dirent>.offset(of: \.d_name) ?? 0)
        let bytes = UnsafeRawBufferPointer(start: place, count: strlen(place.assumingMemoryBound(to: CChar.self)))
        name = Array(bytes)
        kind =
            switch Int(entry.pointee.d_type) {
            case Int(DT_REG): .file
            case Int(DT_DIR): .folder
            case Int(DT_LNK): .symbolicLink
            case Int(DT_UNKNOWN): .unknown
            default: .other
            }
    }

    /// Goes through what is in a folder, but for itself and the one above it.
    ///
    /// - Parameters:
    ///   - folder: a descriptor that nobody else reads from.
    ///   - body: called for each.
    /// - Throws: why it cannot be read.
    static func each(in folder: borrowing Descriptor, _ body: (FolderEntry) -> Void) throws(SystemError) {
        let copy = fcntl(folder.raw, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw SystemError("dup") }
        guard let stream = fdopendir(copy) else {
            let error = SystemError("fdopendir")
            close(copy)
            throw error
        }
        defer { closedir(stream) }
        while true {
            errno = 0
            guard let entry = readdir(stream) else { break }
            let found = FolderEntry(entry)
            if found.name != [UInt8(ascii: ".")], found.name != [UInt8(ascii: "."), UInt8(ascii: ".")] { body(found) }
        }
        guard errno == 0 else { throw SystemError("readdir") }
    }
}
