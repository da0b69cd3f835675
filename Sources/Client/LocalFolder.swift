internal import Glibc
internal import Reactor

/// A folder of this machine whose files a run is given.
enum LocalFolder {
    /// As deep as folders are looked into.
    private static let deepest = 100

    /// The files that an argument names: itself, or all that are in it, by their places below `/box`.
    ///
    /// A symbolic link is followed where the caller named it, and refused inside a folder: what it leads to may be anywhere,
    /// and the run's own would be a copy. So is what is neither a file nor a folder.
    static func files(of argument: FileArgument) throws(ClientError) -> [(path: String, source: String)] {
        var status = stat()
        guard stat(argument.source, &status) == 0 else { throw failure(argument.source) }
        guard status.st_mode & S_IFMT == S_IFDIR else { return [(argument.path, argument.source)] }
        var files: [(path: String, source: String)] = []
        try collect(argument.path, argument.source, depth: 0, into: &files)
        return files
    }

    private static func collect(
        _ path: String,
        _ source: String,
        depth: Int,
        into files: inout [(path: String, source: String)]
    ) throws(ClientError) {
        guard depth < deepest else { throw .local("\(source): It is nested more than \(deepest) folders deep.") }
        for name in try names(in: source) {
            let (path, source) = ("\(path)/\(name)", source.hasSuffix("/") ? source + name : "\(source)/\(name)")
            var status = stat()
            guard lstat(source, &status) == 0 else { throw failure(source) }
            switch status.st_mode & S_IFMT {
            case S_IFREG: files.append((path, source))
            case S_IFDIR: try collect(path, source, depth: depth + 1, into: &files)
            case S_IFLNK:
                throw .local(
                    "\(source): It is a symbolic link, which a run is not given; name what it leads to with --file \(path)=…"
                )
            default: throw .local("\(source): It is neither a file nor a folder.")
            }
        }
    }

    private static func names(in folder: String) throws(ClientError) -> [String] {
        guard let stream = opendir(folder) else { throw failure(folder) }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else { break }
            let bytes = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            guard let name = String(validating: bytes, as: UTF8.self) else {
                throw .local("\(folder)/\(String(decoding: bytes, as: UTF8.self)): Its name is not UTF-8.")
            }
            if name != ".", name != ".." { names.append(name) }
        }
        guard errno == 0 else { throw failure(folder) }
        return names.sorted()
    }

    private static func failure(_ source: String) -> ClientError {
        .local("\(source): \(SystemError.meaning(of: errno))")
    }
}
