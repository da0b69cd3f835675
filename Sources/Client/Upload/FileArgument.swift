internal import Glibc
internal import RunModel
internal import System

/// The argument of `--file`: a path below `/box` and the local file or directory with its content.
package struct FileArgument: Sendable, Hashable {
    /// The path below `/box`; empty for `/box` itself.
    let path: String
    /// The path of the local file or directory.
    let source: String

    /// Parses `PATH[=CONTENT-PATH]`.
    ///
    /// - Parameter text: A path. Without an equals sign it is also the path of the local file.
    /// - Throws: `invalidArgument` if the path does not lead below `/box`.
    package init(_ text: String) throws(ClientError) {
        let equals = text.utf8.firstIndex(of: UInt8(ascii: "="))
        let target = String(text[..<(equals ?? text.endIndex)])
        source = equals.map { String(text[text.utf8.index(after: $0)...]) } ?? target
        // "./dir/" is "dir", and "." is /box itself.
        let parts = target.utf8.split(separator: UInt8(ascii: "/")).map { String(decoding: $0, as: UTF8.self) }
        path = parts.filter { $0 != "." }.joined(separator: "/")
        guard !target.isEmpty, !target.hasPrefix("/"), !parts.contains(".."), !source.isEmpty else {
            throw .invalidArgument(
                "--file '\(text)': the path in the sandbox must be relative to /box, without a leading slash "
                    + "and without .. segments. For a local file elsewhere use PATH=CONTENT-PATH."
            )
        }
    }
}

/// A file, directory or symbolic link of this machine that a run gets.
struct LocalEntry {
    enum Kind {
        /// A file at a local path.
        case file(source: String)
        /// A directory without entries.
        case directory
        case symbolicLink(target: String)
    }

    /// The path below `/box`.
    let path: String
    let kind: Kind
}

/// A search for the entries of a local directory that a run gets.
struct LocalDirectory {
    private static let maximumDepth = 100

    private let excluded: [ExcludePattern]
    private var entries: [LocalEntry] = []

    /// Lists what an argument names: the file itself, or all entries of the directory, with their paths below `/box`.
    ///
    /// A symbolic link is followed if the argument names it. Inside a directory it is a link for the run too, and it is
    /// refused if it does not stay below `/box`. Entries of other kinds are refused.
    ///
    /// - Parameters:
    ///   - argument: the argument.
    ///   - excluded: the patterns of entries inside directories to leave out.
    /// - Returns: the entries, sorted by name in each directory.
    /// - Throws: `local` if an entry cannot be read or sent.
    static func entries(
        of argument: FileArgument,
        excluding excluded: [ExcludePattern]
    ) throws(ClientError) -> [LocalEntry] {
        var status = stat()
        guard stat(argument.source, &status) == 0 else { throw failure(argument.source) }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            guard !argument.path.isEmpty else {
                throw .invalidArgument("--file: /box itself cannot be the file \(argument.source). Give it a name.")
            }
            return [LocalEntry(path: argument.path, kind: .file(source: argument.source))]
        }
        var directory = LocalDirectory(excluded: excluded)
        try directory.collect(argument.path, argument.source, [])
        return directory.entries
    }

    private init(excluded: [ExcludePattern]) { self.excluded = excluded }

    private mutating func collect(_ path: String, _ source: String, _ parents: [String]) throws(ClientError) {
        guard parents.count < Self.maximumDepth else {
            throw .local("\(source): The directories are nested more than \(Self.maximumDepth) levels deep.")
        }
        let before = entries.count
        for name in try Self.names(in: source) {
            let source = source.hasSuffix("/") ? source + name : "\(source)/\(name)"
            let (path, names) = (path.isEmpty ? name : "\(path)/\(name)", parents + [name])
            var status = stat()
            guard lstat(source, &status) == 0 else { throw Self.failure(source) }
            let type = status.st_mode & S_IFMT
            if excluded.excludes(names, isDirectory: type == S_IFDIR) { continue }
            switch type {
            case S_IFREG: entries.append(LocalEntry(path: path, kind: .file(source: source)))
            case S_IFDIR: try collect(path, source, names)
            case S_IFLNK: entries.append(LocalEntry(path: path, kind: try Self.link(source, path)))
            default:
                throw .local("\(source): This is neither a file nor a directory. Leave it out with --exclude.")
            }
        }
        if entries.count == before, !path.isEmpty { entries.append(LocalEntry(path: path, kind: .directory)) }
    }

    private static func link(_ source: String, _ path: String) throws(ClientError) -> LocalEntry.Kind {
        var bytes = [CChar](repeating: 0, count: SymbolicLink.longestTarget + 1)
        let count = readlink(source, &bytes, bytes.count)
        guard count >= 0 else { throw failure(source) }
        let target = bytes.prefix(count).map { UInt8(bitPattern: $0) }
        guard let text = String(validating: target, as: UTF8.self) else {
            throw .local("\(source): The target of this symbolic link is not valid UTF-8. Leave it out with --exclude.")
        }
        if let fault = SymbolicLink.fault(of: text, at: path) {
            throw .local(
                "\(source): This symbolic link to \(text) cannot be sent, because \(fault). Leave it out with --exclude; "
                    + "--file \(path)=\(source) then sends the file that it leads to."
            )
        }
        return .symbolicLink(target: text)
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
