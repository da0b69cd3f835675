internal import Client
internal import Glibc
internal import Reactor
internal import RunAPI
internal import RunModel
internal import Sandbox
internal import Service
internal import Store
internal import System

/// The artifacts of a run on this machine, which are collected as on a server and then saved.
@ReactorActor
final class LocalArtifacts {
    private let data: DataDirectory
    private let store: RunStore
    private let collector: ArtifactCollector
    private let directory: ArtifactDirectory

    /// Prepares a temporary store and the output directory.
    ///
    /// - Parameters:
    ///   - path: The directory for the artifacts.
    ///   - globs: The patterns of the artifacts.
    /// - Throws: If one of the directories cannot be created.
    init(in path: String, _ globs: [Glob]) throws {
        directory = try ArtifactDirectory(path, for: globs)
        let variable = getenv("TMPDIR").map { String(cString: $0) } ?? ""
        data = try DataDirectory(temporaryIn: variable.isEmpty ? "/tmp" : variable)
        store = try RunStore(data, blobLimits: BlobLimits(bytes: 1 << 50))
        store.start()
        let limits = ArtifactLimits(count: 100_000, bytes: 1 << 50, totalBytes: 1 << 50, depth: 128)
        collector = ArtifactCollector(store.blobs, limits)
    }

    /// Collects the artifacts from a sandbox whose command has ended, and saves them.
    ///
    /// - Parameters:
    ///   - files: The files of the sandbox.
    ///   - globs: The patterns.
    ///   - run: The run.
    ///   - completion: Called once, with the artifacts and the message about one that could not be saved.
    func save(
        _ files: SandboxFiles,
        _ globs: [Glob],
        of run: RunID,
        _ completion: @escaping @ReactorActor (CollectedArtifacts, String?) -> Void
    ) {
        collector.collect(files, globs, of: run, owner: "") { [self] artifacts in
            var failure: String?
            for artifact in artifacts.kept {
                do throws(ClientError) { try save(artifact) } catch {
                    failure = "\(error)"
                    break
                }
            }
            close()
            completion(artifacts, failure)
        }
    }

    /// Removes the temporary store.
    func close() { store.close() }

    private func save(_ artifact: Artifact) throws(ClientError) {
        switch artifact.kind {
        case .symbolicLink(let target): try directory.save(artifact.path, .symbolicLink(target: target)) { _ in }
        case .directory: try directory.save(artifact.path, .directory) { _ in }
        case .regular(let bytes, let sha256, let isExecutable):
            guard let digest = SHA256Digest(hexadecimal: sha256) else { return }
            let path = store.blobs.find(digest, for: nil)?.path
            let raw = path.map { open($0, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) } ?? -1
            guard raw >= 0 else { throw .local("\(artifact.path): the collected file is gone") }
            let content = Descriptor(owning: raw)
            let kind = ReceivedArtifact.Kind.regular(bytes: bytes, digest: digest, isExecutable: isExecutable)
            try directory.save(artifact.path, kind) { file throws(ClientError) in
                try Self.copy(content.raw, to: file, artifact.path)
            }
        }
    }

    private static func copy(_ source: Int32, to file: Int32, _ path: String) throws(ClientError) {
        var buffer = [UInt8](repeating: 0, count: 256 << 10)
        while true {
            let count = FileIO.retrying { buffer.withUnsafeMutableBytes { read(source, $0.baseAddress, $0.count) } }
            guard count >= 0 else { throw .local("\(path): \(SystemError.meaning(of: errno))") }
            if count == 0 { return }
            do throws(SystemError) { try FileIO.writeAll(Array(buffer[..<count]), to: file) } catch {
                throw .local("\(path): \(SystemError.meaning(of: error.number))")
            }
        }
    }
}
