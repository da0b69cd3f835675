internal import Digests
internal import Glibc
internal import Reactor
public import Runs

/// Where a run's artifacts go.
///
/// A server is not trusted with this machine's files: a path that leads out of the folder, or through a symbolic link, is
/// refused, and nothing that is in the folder is written to. Each file is written beside its place, checked, and put there
/// whole.
public final class ArtifactFolder {
    private let path: String
    private let globs: [Glob]
    private let client: APIClient
    private let folder: Descriptor
    private let mask: mode_t

    /// Opens the folder; it is made if it is not there.
    ///
    /// - Parameters:
    ///   - path: where it is.
    ///   - globs: what the run was asked to keep: nothing else is fetched.
    ///   - client: how to reach the server.
    /// - Throws: `local` with what is wrong with it.
    public init(_ path: String, for globs: [Glob], _ client: APIClient) throws(ClientError) {
        (self.path, self.globs, self.client) = (path, globs, client)
        if mkdir(path, 0o777) != 0, errno != EEXIST { throw .local("\(path): \(SystemError.meaning(of: errno))") }
        let raw = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard raw >= 0 else { throw .local("\(path): \(SystemError.meaning(of: errno))") }
        folder = Descriptor(owning: raw)
        mask = umask(0)
        umask(mask)
    }

    /// Fetches an artifact and puts it in its place.
    ///
    /// - Parameters:
    ///   - artifact: which one.
    ///   - run: whose it is.
    /// - Throws: `misunderstood` for a path that leads elsewhere or content that is another, `local` for what cannot be
    ///   written, and what keeps it from being fetched.
    public func fetch(_ artifact: ReceivedArtifact, of run: RunID) throws(ClientError) {
        let parts = try Self.parts(of: artifact.path)
        // A path below the folder may be one that means something: `.git/hooks/pre-commit`.
        guard GlobPlace(globs).leads(to: parts) else {
            throw .misunderstood(
                "The server names an artifact '\(artifact.path)', which was not asked for: it was not fetched."
            )
        }
        let parent = try openParent(parts.dropLast(), of: artifact.path)
        guard let name = parts.last else { return }
        let temporary = ".sandglass-\(String(UInt64.random(in: 0 ... .max), radix: 36))"
        let file = openat(parent.raw, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw failure(artifact.path) }
        let content = Descriptor(owning: file)
        var isInPlace = false
        defer { if !isInPlace { unlinkat(parent.raw, temporary, 0) } }
        let target = "/runs/\(run)/artifacts/" + parts.map(PercentEncoding.encode).joined(separator: "/")
        try download(target, artifact, into: content.raw)
        guard fchmod(content.raw, (artifact.isExecutable ? 0o777 : 0o666) & ~mask) == 0,
            renameat(parent.raw, temporary, parent.raw, name) == 0
        else { throw failure(artifact.path) }
        isInPlace = true
    }

    private func download(_ target: String, _ artifact: ReceivedArtifact, into file: Int32) throws(ClientError) {
        var patience = Patience()
        var hasSaid = false
        while true {
            do throws(ClientError) {
                guard ftruncate(file, 0) == 0, lseek(file, 0, SEEK_SET) == 0 else { throw failure(artifact.path) }
                return try downloadOnce(target, artifact, into: file)
            } catch {
                try client.pause(after: error, &patience, &hasSaid)
            }
        }
    }

    private func downloadOnce(_ target: String, _ artifact: ReceivedArtifact, into file: Int32) throws(ClientError) {
        var (hasher, count) = (SHA256Hasher(), 0)
        _ = try client.sendOnce(
            Request(target: target, isStreamed: true),
            receive: { part throws(ClientError) in
                count += part.count
                guard count <= artifact.bytes else { throw Self.isAnother(artifact) }
                hasher.update(part)
                var rest = part[...]
                while !rest.isEmpty {
                    let written = write(file, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                    if written < 0, errno == EINTR { continue }
                    guard written > 0 else { throw failure(artifact.path) }
                    rest = rest.dropFirst(written)
                }
            }
        )
        guard count == artifact.bytes, hasher.finish() == artifact.digest else { throw Self.isAnother(artifact) }
    }

    /// The parts of a path, each a name.
    static func parts(of path: String) throws(ClientError) -> [String] {
        let parts = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        let areNames = parts.allSatisfy { part in
            !part.isEmpty && !part.contains(0) && !part.elementsEqual(".".utf8) && !part.elementsEqual("..".utf8)
        }
        guard areNames else {
            throw .misunderstood(
                "The server names an artifact '\(path)', which is no path below a folder: it was not fetched."
            )
        }
        return parts.map { String(decoding: $0, as: UTF8.self) }
    }

    /// The folder of a file, made if need be; no link is followed on the way.
    private func openParent(_ names: ArraySlice<String>, of path: String) throws(ClientError) -> Descriptor {
        let raw = dup(folder.raw)
        guard raw >= 0 else { throw failure(path) }
        var parent = Descriptor(owning: raw)
        for name in names {
            if mkdirat(parent.raw, name, 0o777) != 0, errno != EEXIST { throw failure(path) }
            let next = openat(parent.raw, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            guard next >= 0 else {
                let number = errno
                if number == ELOOP || number == ENOTDIR {
                    throw .local("\(self.path)/\(path): '\(name)' is no folder (a symbolic link is not followed).")
                }
                throw failure(path, number)
            }
            parent = Descriptor(owning: next)
        }
        return parent
    }

    private func failure(_ path: String, _ number: Int32 = errno) -> ClientError {
        .local("\(self.path)/\(path): \(SystemError.meaning(of: number))")
    }

    private static func isAnother(_ artifact: ReceivedArtifact) -> ClientError {
        .misunderstood("What came for the artifact \(artifact.path) is not what the run left: it was not kept.")
    }
}
