internal import Glibc
internal import System

/// The argument of `--file`: a path below `/box` and the local file or directory with its content.
package struct FileArgument: Sendable, Hashable {
    /// The path below `/box`.
    let path: String
    /// The path of the local file or directory.
    let source: String

    /// Parses `PATH[=CONTENT-PATH]`.
    ///
    /// - Parameter text: A path. Without an equals sign it is also the path of the local file.
    /// - Throws: `invalidArgument` if the path does not lead below `/box`.
    package init(_ text: String) throws(ClientError) {
        let equals = text.utf8.firstIndex(of: UInt8(ascii: "="))
        path = String(text[..<(equals ?? text.endIndex)])
        source = equals.map { String(text[text.utf8.index(after: $0)...]) } ?? path
        guard Self.isBelow(path), !source.isEmpty else {
            throw .invalidArgument(
                "--file '\(text)': the path in the sandbox must be relative to /box, without leading or trailing slash "
                    + "and without . or .. segments. For a local file elsewhere use PATH=CONTENT-PATH."
            )
        }
    }

    private static func isBelow(_ path: String) -> Bool {
        path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).allSatisfy { part in
            !part.isEmpty && !part.elementsEqual(".".utf8) && !part.elementsEqual("..".utf8)
        }
    }
}

/// A search for the files of a local directory that are uploaded for a run.
enum LocalDirectory {
    private static let maximumDepth = 100

    /// Lists the files that an argument names: the file itself, or all files in the directory, with their paths below
    /// `/box`.
    ///
    /// A symbolic link is followed if the argument names it. Inside a directory a link is refused: its target may be
    /// anywhere, and the run would get a copy instead of a link. Entries that are neither a file nor a directory are
    /// refused too.
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
        guard depth < maximumDepth else {
            throw .local("\(source): The directories are nested more than \(maximumDepth) levels deep.")
        }
        for name in try names(in: source) {
            let (path, source) = ("\(path)/\(name)", source.hasSuffix("/") ? source + name : "\(source)/\(name)")
            var status = stat()
            guard lstat(source, &status) == 0 else { throw failure(source) }
            switch status.st_mode & S_IFMT {
            case S_IFREG: files.append((path, source))
            case S_IFDIR: try collect(path, source, depth: depth + 1, into: &files)
            case S_IFLNK:
                throw .local(
                    "\(source): This is a symbolic link, which cannot be uploaded. "
                        + "Name its target with --file \(path)=TARGET."
                )
            default: throw .local("\(source): This is neither a file nor a directory.")
            }
        }
    }

    private static func names(in directory: String) throws(ClientError) -> [String] {
        var entries: [DirectoryEntry] = []
        do throws(SystemError) {
            try DirectoryEntry.forEach(at: directory) { entries.append($0) }
        } catch {
            throw .local("\(directory): \(SystemError.meaning(of: error.number))")
        }
        var names: [String] = []
        for entry in entries {
            guard let name = String(validating: entry.name, as: UTF8.self) else {
                throw .local("\(directory)/\(entry.text): The name is not valid UTF-8.")
            }
            names.append(name)
        }
        return names.sorted()
    }

    private static func failure(_ source: String) -> ClientError {
        .local("\(source): \(SystemError.meaning(of: errno))")
    }
}
