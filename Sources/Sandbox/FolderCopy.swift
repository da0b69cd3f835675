internal import Glibc

/// A small folder of the host as it is when the service starts.
///
/// What not everybody may read is left out, and what is neither a folder, a file nor a symbolic link.
struct FolderCopy {
    /// Of folders, files and links together.
    private static let most = 2000
    /// Of all files together.
    private static let mostBytes = 2 << 20

    /// The folder, and what is in it.
    private(set) var entries: [SandboxEntry] = []
    private var bytes = 0

    /// `nil` if it is not small, or could not be read in full.
    ///
    /// - Parameters:
    ///   - host: the folder.
    ///   - path: where it stands inside.
    init?(of host: String, at path: String) {
        guard add(host, at: path) else { return nil }
    }

    private mutating func add(_ host: String, at path: String) -> Bool {
        var status = stat()
        guard entries.count < Self.most, lstat(host, &status) == 0 else { return false }
        switch HostFile.kind(of: host) {
        case .symbolicLink(let target):
            entries.append(.symbolicLink(path, to: target))
        case .directory:
            guard status.st_mode & 0o5 == 0o5 else { return true }
            entries.append(.directory(path))
            return HostFile.names(in: host).filter { $0 != "." && $0 != ".." }.allSatisfy {
                add(host + "/" + $0, at: path + "/" + $0)
            }
        case .file:
            guard status.st_mode & 0o4 != 0 else { return true }
            guard let contents = HostFile.contents(of: host, atMost: Self.mostBytes - bytes) else { return false }
            bytes += contents.count
            entries.append(.file(path, contents: contents, isExecutable: status.st_mode & 0o1 != 0))
        case .other, nil: break
        }
        return true
    }
}
