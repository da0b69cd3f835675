/// A directory or file of the host that commands see at its own path, read-only, in addition to the built-in view.
package struct ExposedPath: Sendable, Hashable {
    /// The path at which commands see it, as configured.
    package let path: String
    /// The entries that show it.
    let entries: [SandboxEntry]

    /// Top-level names that the view already has or that each run creates.
    ///
    /// No exposed directory may cover them.
    private static let reservedNames: Set = [
        "bin", "box", "dev", "lib", "lib32", "lib64", "libx32", "proc", "sbin", "sys", "tmp", "usr",
    ]

    /// Finds the directories and files to expose on the host.
    ///
    /// - Parameter paths: absolute paths. Their symbolic links are followed now, once.
    /// - Returns: the directories and files, none of them inside another.
    /// - Throws: the first path that cannot be exposed, with the reason.
    package static func all(_ paths: [String]) throws(ViewError) -> [ExposedPath] {
        var directories: [ExposedPath] = []
        for path in paths {
            let directory = try ExposedPath(path)
            if let other = directories.first(where: { HostPath.overlap($0.path, directory.path) }) {
                throw ViewError(
                    path: path,
                    reason: "it and \(other.path) are one inside the other; expose only the outer one"
                )
            }
            directories.append(directory)
        }
        return directories
    }

    private init(_ text: String) throws(ViewError) {
        let components = try HostPath.components(of: text)
        guard let top = components.first else {
            throw ViewError(path: text, reason: HostPath.rootReason)
        }
        let path = "/" + components.joined(separator: "/")
        let isReserved = Self.reservedNames.contains(top) || ["/etc", "/run", "/var"].contains(path)
        let coversLink = ["/var/run", "/var/tmp"].contains { HostPath.overlap($0, path) }
        guard !isReserved, !coversLink else {
            throw ViewError(
                path: text,
                reason: "it would cover the /\(top) that every command has; expose another directory"
            )
        }
        self.path = path
        entries = ["etc", "var"].contains(top) ? try Self.configuration(text, at: path) : try Self.bind(text, at: path)
    }

    /// The same path with the entries that show it as it is now.
    ///
    /// A directory that is mounted shows changes by itself, and so keeps its entries.
    var current: ExposedPath {
        guard entries.contains(where: { $0.path == path && !$0.isMount }) else { return self }
        return ExposedPath(path: path, entries: PackageFiles.entries(showing: path))
    }

    private init(path: String, entries: [SandboxEntry]) {
        self.path = path
        self.entries = entries
    }

    private static func bind(_ text: String, at path: String) throws(ViewError) -> [SandboxEntry] {
        let host = try HostPath.directory(text)
        try refuseSecret(text, path, host)
        return [.bind(host: host, at: path)]
    }

    /// Returns the entries of a path below /etc or /var, where secrets lie beside other files.
    private static func configuration(_ text: String, at path: String) throws(ViewError) -> [SandboxEntry] {
        guard let host = HostFile.canonicalPath(of: path) else {
            throw ViewError(path: text, reason: "there is no such file or directory")
        }
        try refuseSecret(text, path, host)
        let entries = PackageFiles.entries(showing: path)
        guard entries.isEmpty else { return entries }
        if let secret = HostSecrets.first(in: host) {
            throw ViewError(path: text, reason: "it holds the secret \(secret); expose a narrower directory")
        }
        throw ViewError(path: text, reason: "it is a private key, or neither a file nor a directory")
    }

    private static func refuseSecret(_ text: String, _ path: String, _ host: String) throws(ViewError) {
        guard let reason = HostSecrets.reason(toHide: path) ?? HostSecrets.reason(toHide: host) else { return }
        throw ViewError(path: text, reason: "\(reason); no command may see it")
    }
}

/// Checks of the host paths that an operator has configured.
enum HostPath {
    /// The directories in which the kernel shows the state of the whole host.
    private static let kernelDirectories = ["/proc", "/sys", "/dev"]

    static let rootReason = "it is the root of the host's file system; name a directory below it"

    /// Returns the components of an absolute path without `.` and `..`.
    static func components(of path: String) throws(ViewError) -> [String] {
        guard path.utf8.first == UInt8(ascii: "/") else {
            throw ViewError(path: path, reason: "it must be an absolute path")
        }
        let components = path.split(separator: "/").map(String.init)
        guard !components.contains(where: { $0 == "." || $0 == ".." }) else {
            throw ViewError(path: path, reason: "it must not contain . or ..")
        }
        return components
    }

    /// Returns the path of a directory without symbolic links.
    ///
    /// - Throws: the path and the reason if it is no directory, the root of the host or one of the kernel's
    ///   directories.
    static func directory(_ path: String) throws(ViewError) -> String {
        guard let canonical = HostFile.canonicalPath(of: path), case .directory = HostFile.kind(of: canonical) else {
            throw ViewError(path: path, reason: "there is no such directory")
        }
        guard canonical != "/" else { throw ViewError(path: path, reason: rootReason) }
        if let directory = kernelDirectories.first(where: { overlap($0, canonical) }) {
            throw ViewError(path: path, reason: "the host's \(directory) is never shown; name another directory")
        }
        return canonical
    }

    /// Returns whether two absolute paths are equal or one is inside the other.
    static func overlap(_ one: String, _ other: String) -> Bool {
        (one + "/").hasPrefix(other + "/") || (other + "/").hasPrefix(one + "/")
    }
}

/// The reason why a path of the host cannot be shown to commands.
package struct ViewError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The path, as configured.
    package let path: String
    /// The reason, as a clause.
    package let reason: String

    /// One line for the operator.
    package var description: String { "\(path) cannot be shown to commands: \(reason)." }
}
