internal import Glibc
package import RunAPI
package import RunModel
internal import System

/// The local directory for a run's artifacts.
///
/// The server is not trusted with this machine's files. A path that leads out of the directory or through a symbolic
/// link is refused. Existing files are never written to: each artifact is downloaded to a temporary file in the same
/// directory, verified, and then renamed.
package final class ArtifactDirectory {
    private let path: String
    private let globs: [Glob]
    /// The client of the server; `nil` if the artifacts are on this machine.
    private let client: APIClient?
    private let directory: Descriptor
    private let mask: mode_t

    /// Opens the directory, and creates it if needed.
    ///
    /// - Parameters:
    ///   - path: The path of the directory.
    ///   - globs: The artifact patterns of the run. Other artifacts are refused.
    ///   - client: The client of the server.
    /// - Throws: `local` if the directory cannot be created or opened.
    package init(_ path: String, for globs: [Glob], _ client: APIClient? = nil) throws(ClientError) {
        (self.path, self.globs, self.client) = (path, globs, client)
        if mkdir(path, 0o777) != 0, errno != EEXIST { throw .local("\(path): \(SystemError.meaning(of: errno))") }
        let raw = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard raw >= 0 else { throw .local("\(path): \(SystemError.meaning(of: errno))") }
        directory = Descriptor(owning: raw)
        mask = umask(0)
        umask(mask)
    }

    /// Returns whether one of the patterns matches an artifact.
    package func selects(_ artifact: ReceivedArtifact) -> Bool {
        guard let parts = try? Self.parts(of: artifact.path) else { return true }
        return GlobPosition(globs).matchesFile(at: parts)
    }

    /// Downloads an artifact.
    ///
    /// - Parameters:
    ///   - artifact: The artifact.
    ///   - run: The run that it belongs to.
    /// - Throws: `invalidResponse` if the path leads elsewhere or the content does not match the digest. `local` if the
    ///   file cannot be written. Also the errors of the download.
    package func fetch(_ artifact: ReceivedArtifact, of run: RunID) throws(ClientError) {
        let path = artifact.path
        try save(path, artifact.kind) { file throws(ClientError) in
            guard case .regular(let bytes, let digest, _) = artifact.kind, let client else { return }
            let parts = try Self.parts(of: path).map { PercentCoding.encode($0) }
            let target = "/runs/\(run)/artifacts/" + parts.joined(separator: "/")
            try download(target, Content(path: path, bytes: bytes, digest: digest), into: file, by: client)
        }
    }

    /// Creates or replaces a file, a link or a directory.
    ///
    /// - Parameters:
    ///   - path: The path of the artifact below the directory.
    ///   - kind: The kind of the artifact.
    ///   - write: Writes the content of a file to a descriptor.
    /// - Throws: `invalidResponse` if the path leads elsewhere, `local` if it cannot be written, and the errors of
    ///   `write`.
    package func save(
        _ path: String,
        _ kind: ReceivedArtifact.Kind,
        _ write: (Int32) throws(ClientError) -> Void
    ) throws(ClientError) {
        let parts = try Self.parts(of: path)
        // A path below the directory may have a special meaning: `.git/hooks/pre-commit`.
        guard GlobPosition(globs).matchesFile(at: parts) else {
            throw .invalidResponse(
                "The server sent an artifact '\(path)', which was not asked for. It was not downloaded."
            )
        }
        let parent = try openParent(parts.dropLast(), of: path)
        guard let name = parts.last else { return }
        switch kind {
        case .regular(_, _, let isExecutable): try createFile(name, isExecutable, path, in: parent, write)
        case .symbolicLink(let target): try createLink(name, target, path, in: parent)
        case .directory:
            if mkdirat(parent.raw, name, 0o777) != 0, errno != EEXIST { throw failure(path) }
            _ = try openDirectory(name, in: parent, of: path)
        }
    }

    /// The announced content of a file.
    private struct Content {
        let path: String
        let bytes: Int
        let digest: SHA256Digest
    }

    private func createFile(
        _ name: String,
        _ isExecutable: Bool,
        _ path: String,
        in parent: borrowing Descriptor,
        _ write: (Int32) throws(ClientError) -> Void
    ) throws(ClientError) {
        let temporary = Self.temporaryName()
        let file = openat(parent.raw, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw failure(path) }
        let content = Descriptor(owning: file)
        var isRenamed = false
        defer { if !isRenamed { unlinkat(parent.raw, temporary, 0) } }
        try write(content.raw)
        guard fchmod(content.raw, (isExecutable ? 0o777 : 0o666) & ~mask) == 0,
            renameat(parent.raw, temporary, parent.raw, name) == 0
        else { throw failure(path) }
        isRenamed = true
    }

    private static func temporaryName() -> String {
        ".sandglass-\(String(UInt64.random(in: 0 ... .max), radix: 36))"
    }

    /// Creates a symbolic link, in place of a file or link of its name.
    private func createLink(
        _ name: String,
        _ target: String,
        _ path: String,
        in parent: borrowing Descriptor
    ) throws(ClientError) {
        // The rule of the service is not enough here: with two links, `a/..` may lead further up than to a's parent. A
        // target with `..` at its start alone stays in the directory, whatever other links there are.
        let parts = target.utf8.split(separator: UInt8(ascii: "/")).map { String(decoding: $0, as: UTF8.self) }
        let names = parts.drop { $0 == ".." || $0 == "." }
        guard SymbolicLink.fault(of: target, at: path) == nil, !names.contains("..") else {
            throw .invalidResponse(
                "The server sent a symbolic link '\(path)', whose target '\(target)' may lead out of the output "
                    + "directory. It was not created."
            )
        }
        let temporary = Self.temporaryName()
        guard symlinkat(target, parent.raw, temporary) == 0 else { throw failure(path) }
        guard renameat(parent.raw, temporary, parent.raw, name) == 0 else {
            let number = errno
            unlinkat(parent.raw, temporary, 0)
            throw failure(path, number)
        }
    }

    private func download(
        _ target: String,
        _ artifact: Content,
        into file: Int32,
        by client: APIClient
    ) throws(ClientError) {
        var policy = RetryPolicy()
        var hasLogged = false
        while true {
            do throws(ClientError) {
                guard ftruncate(file, 0) == 0, lseek(file, 0, SEEK_SET) == 0 else { throw failure(artifact.path) }
                return try downloadOnce(target, artifact, into: file, by: client)
            } catch {
                try client.pause(after: error, &policy, &hasLogged)
            }
        }
    }

    private func downloadOnce(
        _ target: String,
        _ artifact: Content,
        into file: Int32,
        by client: APIClient
    ) throws(ClientError) {
        var (hasher, count) = (SHA256Hasher(), 0)
        _ = try client.sendOnce(
            OutgoingRequest(target: target, isStreamed: true),
            receive: { part throws(ClientError) in
                count += part.count
                guard count <= artifact.bytes else { throw Self.mismatch(artifact) }
                hasher.update(part)
                do throws(SystemError) {
                    try FileIO.writeAll(part, to: file)
                } catch {
                    throw failure(artifact.path)
                }
            }
        )
        guard count == artifact.bytes, hasher.finish() == artifact.digest else { throw Self.mismatch(artifact) }
    }

    /// Splits a path into its names, and refuses one that does not lead below a directory.
    static func parts(of path: String) throws(ClientError) -> [String] {
        let parts = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        let areNames = parts.allSatisfy { part in
            !part.isEmpty && !part.contains(0) && !part.elementsEqual(".".utf8) && !part.elementsEqual("..".utf8)
        }
        guard areNames else {
            throw .invalidResponse(
                "The server sent an artifact '\(path)', which is not a path below a directory. It was not downloaded."
            )
        }
        return parts.map { String(decoding: $0, as: UTF8.self) }
    }

    /// Opens the parent directory of a file without following links, and creates directories if needed.
    private func openParent(_ names: ArraySlice<String>, of path: String) throws(ClientError) -> Descriptor {
        let raw = dup(directory.raw)
        guard raw >= 0 else { throw failure(path) }
        var parent = Descriptor(owning: raw)
        for name in names {
            if mkdirat(parent.raw, name, 0o777) != 0, errno != EEXIST { throw failure(path) }
            let next = try openDirectory(name, in: parent, of: path)
            parent = next
        }
        return parent
    }

    private func openDirectory(
        _ name: String,
        in parent: borrowing Descriptor,
        of path: String
    ) throws(ClientError) -> Descriptor {
        let raw = openat(parent.raw, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard raw >= 0 else {
            let number = errno
            if number == ELOOP || number == ENOTDIR {
                throw .local("\(self.path)/\(path): '\(name)' is not a directory (symbolic links are not followed).")
            }
            throw failure(path, number)
        }
        return Descriptor(owning: raw)
    }

    private func failure(_ path: String, _ number: Int32 = errno) -> ClientError {
        .local("\(self.path)/\(path): \(SystemError.meaning(of: number))")
    }

    private static func mismatch(_ artifact: Content) -> ClientError {
        .invalidResponse(
            "The content of the artifact \(artifact.path) does not match its size and digest. It was not saved."
        )
    }
}

extension GlobPosition {
    /// Returns whether one of the patterns matches a file at the path with these parts.
    func matchesFile(at parts: [String]) -> Bool {
        var position = self
        for directory in parts.dropLast() { position = position.match(Array(directory.unicodeScalars)).below }
        return parts.last.map { !position.match(Array($0.unicodeScalars)).globs.isEmpty } ?? false
    }
}
