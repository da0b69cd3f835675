internal import Glibc

/// A name in a directory and the kind of file behind it, as readdir(3) reports them.
package struct DirectoryEntry: Sendable {
    /// The kind of a file, known without opening it.
    package enum Kind: Sendable {
        case file
        case directory
        case symbolicLink
        /// A FIFO, a socket or a device.
        case other
        /// The file system does not report kinds.
        case unknown
    }

    /// The bytes of the name, which need not be UTF-8.
    package let name: [UInt8]
    package let kind: Kind

    /// The name with every byte that is not UTF-8 replaced.
    package var text: String { String(decoding: name, as: UTF8.self) }

    private init(_ entry: UnsafePointer<dirent>) {
        let start = UnsafeRawPointer(entry).advanced(by: MemoryLayout<dirent>.offset(of: \.d_name) ?? 0)
        // SAFETY: readdir(3) terminates d_name within its 256 bytes.
        let bytes = UnsafeRawBufferPointer(start: start, count: strlen(start.assumingMemoryBound(to: CChar.self)))
        name = Array(bytes)
        kind =
            switch Int(entry.pointee.d_type) {
            case Int(DT_REG): .file
            case Int(DT_DIR): .directory
            case Int(DT_LNK): .symbolicLink
            case Int(DT_UNKNOWN): .unknown
            default: .other
            }
    }

    /// Calls `body` for every entry of a directory except `.` and `..`, in the file system's order.
    ///
    /// - Parameters:
    ///   - directory: an open directory. It shares its read offset, so no other thread may read it meanwhile.
    ///   - body: called once for each entry.
    /// - Throws: the error that stopped the reading.
    package static func forEach(
        in directory: borrowing Descriptor,
        _ body: (DirectoryEntry) -> Void
    ) throws(SystemError) {
        let copy = fcntl(directory.raw, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw SystemError("dup") }
        guard let stream = fdopendir(copy) else {
            let error = SystemError("fdopendir")
            close(copy)
            throw error
        }
        defer { closedir(stream) }
        try forEach(stream, body)
    }

    /// Calls `body` for every entry of the directory at `path` except `.` and `..`, in the file system's order.
    ///
    /// - Throws: the error of opening or reading the directory.
    package static func forEach(
        at path: String,
        _ body: (DirectoryEntry) -> Void
    ) throws(SystemError) {
        guard let stream = opendir(path) else { throw SystemError("open \(path)") }
        defer { closedir(stream) }
        try forEach(stream, body)
    }

    /// The names in the directory at `path` except `.` and `..`, in the file system's order.
    ///
    /// - Returns: the names that were read until an error, if there is one: none for a directory that is missing.
    package static func names(at path: String) -> [String] {
        var names: [String] = []
        try? forEach(at: path) { names.append($0.text) }
        return names
    }

    private static func forEach(_ stream: OpaquePointer, _ body: (DirectoryEntry) -> Void) throws(SystemError) {
        while true {
            errno = 0
            guard let entry = readdir(stream) else { break }
            let found = DirectoryEntry(entry)
            if found.name != [UInt8(ascii: ".")], found.name != [UInt8(ascii: "."), UInt8(ascii: ".")] { body(found) }
        }
        guard errno == 0 else { throw SystemError("readdir") }
    }
}
