internal import Glibc
internal import System

/// Reads files and directories of the host while a plan is made.
enum HostFile {
    /// The kind of a directory entry, which is not followed if it is a symbolic link.
    enum Kind {
        case directory
        case file
        case symbolicLink(to: String)
        case other
    }

    /// Returns the kind of the entry at a path, or `nil` if there is none.
    static func kind(of path: String) -> Kind? {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        switch status.st_mode & S_IFMT {
        case S_IFDIR: return .directory
        case S_IFREG: return .file
        case S_IFLNK:
            return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { text in
                guard let start = text.baseAddress else { return nil }
                let length = readlink(path, start, text.count)
                guard length > 0 else { return nil }
                return .symbolicLink(
                    to: String(decoding: UnsafeRawBufferPointer(start: start, count: length), as: UTF8.self)
                )
            }
        default: return .other
        }
    }

    /// Returns the path without symbolic links, or `nil` if nothing exists at it.
    static func canonicalPath(of path: String) -> String? {
        guard let text = realpath(path, nil) else { return nil }
        defer { free(text) }
        return String(cString: text)
    }

    /// Returns the bytes of a regular or proc file, or `nil` if it cannot be read or exceeds a limit in bytes.
    static func contents(of path: String, atMost limit: Int) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { return nil }
        defer { close(file) }
        guard let contents = try? FileIO.readAll(file, atMost: limit + 1), contents.count <= limit else { return nil }
        return contents
    }

    /// Returns the sorted names in a directory, without `.` and `..`; none if the directory cannot be read.
    static func names(in directory: String) -> [String] {
        DirectoryEntry.names(at: directory).sorted()
    }
}
