internal import Glibc

/// Reading what the host has, when a plan is made.
enum HostFile {
    /// What stands at a path, itself and not what it points to.
    enum Kind {
        case directory
        case file
        case symbolicLink(to: String)
        case other
    }

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
                return .symbolicLink(to: String(decoding: text[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self))
            }
        default: return .other
        }
    }

    /// The path without symbolic links, or `nil` if nothing is there.
    static func canonicalPath(of path: String) -> String? {
        guard let text = realpath(path, nil) else { return nil }
        defer { free(text) }
        return String(cString: text)
    }

    /// The bytes of a regular or proc file, or `nil` if it cannot be read or is larger.
    static func contents(of path: String, atMost limit: Int) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var contents: [UInt8] = []
        while contents.count <= limit {
            let part = [UInt8](unsafeUninitializedCapacity: 65536) { buffer, count in
                count = max(0, read(file, buffer.baseAddress, buffer.count))
            }
            if part.isEmpty { return contents }
            contents += part
        }
        return nil
    }

    /// The names in a folder, sorted; none if it cannot be read.
    static func names(in folder: String) -> [String] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { name in
                // SAFETY: readdir(3) terminates d_name within its 256 bytes.
                name.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            names.append(name)
        }
        return names.sorted()
    }
}
