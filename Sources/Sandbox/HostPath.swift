/// A path of the host that whoever runs the service has named.
enum HostPath {
    /// What the kernel shows of the whole host.
    private static let kernelFolders = ["/proc", "/sys", "/dev"]

    /// The names in an absolute path that goes straight down.
    static func components(of path: String) throws(ViewError) -> [String] {
        guard path.utf8.first == UInt8(ascii: "/") else {
            throw ViewError(path: path, reason: "it must be an absolute path")
        }
        let components = path.split(separator: "/").map(String.init)
        guard !components.contains(where: { $0 == "." || $0 == ".." }) else {
            throw ViewError(path: path, reason: "it must not hold . or ..")
        }
        return components
    }

    /// The folder at a path, without symbolic links.
    ///
    /// It is neither the root of the host nor one of the kernel's own.
    static func folder(_ path: String) throws(ViewError) -> String {
        guard let canonical = HostFile.canonicalPath(of: path), case .directory = HostFile.kind(of: canonical) else {
            throw ViewError(path: path, reason: "there is no such folder")
        }
        guard canonical != "/" else { throw ViewError(path: path, reason: "all of the host's files are never shown") }
        if let folder = kernelFolders.first(where: { overlap($0, canonical) }) {
            throw ViewError(path: path, reason: "nothing of the host's \(folder) is shown")
        }
        return canonical
    }

    /// Whether two plain paths are the same, or one is inside the other.
    static func overlap(_ one: String, _ other: String) -> Bool {
        (one + "/").hasPrefix(other + "/") || (other + "/").hasPrefix(one + "/")
    }
}
