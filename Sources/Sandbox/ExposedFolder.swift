/// A folder of the host that commands see at its own path, read-only, beside the built-in view.
public struct ExposedFolder: Sendable, Hashable {
    /// Where commands see it: the path that was asked for.
    public let path: String
    /// The folder itself, without symbolic links.
    let hostPath: String

    /// What the view has already, or makes for each run: nothing may cover it.
    private static let taken: Set = [
        "bin", "box", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "sbin", "sys", "tmp", "usr",
    ]

    /// Folders to show, each found on the host.
    ///
    /// - Parameter paths: absolute paths; symbolic links in them are followed now, once.
    /// - Returns: the folders, none of them inside another.
    /// - Throws: why one of them cannot be shown.
    public static func all(_ paths: [String]) throws(ViewError) -> [ExposedFolder] {
        var folders: [ExposedFolder] = []
        for path in paths {
            let folder = try ExposedFolder(path)
            if let other = folders.first(where: { HostPath.overlap($0.path, folder.path) }) {
                throw ViewError(path: path, reason: "it and \(other.path) are one inside the other")
            }
            folders.append(folder)
        }
        return folders
    }

    private init(_ text: String) throws(ViewError) {
        let components = try HostPath.components(of: text)
        guard let top = components.first else {
            throw ViewError(path: text, reason: "all of the host's files are never shown")
        }
        let path = "/" + components.joined(separator: "/")
        let isInTheWay = Self.taken.contains(top) || ["/run", "/var"].contains(path)
        let isLink = ["/var/run", "/var/tmp"].contains { HostPath.overlap($0, path) }
        guard !isInTheWay, !isLink else {
            throw ViewError(path: text, reason: "commands have a /\(top) of their own, which it would cover")
        }
        self.path = path
        hostPath = try HostPath.folder(text)
    }

    /// What is to be made of it.
    var entry: SandboxEntry { .bind(host: hostPath, at: path) }
}
