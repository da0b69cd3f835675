internal import ArgumentParser
internal import Client
internal import Execution
internal import Glibc
internal import Reactor
internal import RunAPI
internal import RunModel
internal import Sandbox
internal import Service
internal import Settings
internal import Store
internal import System

/// A run on this machine: the request of `sandglass run`, read as a server would read it.
struct LocalRun {
    /// The command with its limits, files and artifacts.
    let specification: RunSpecification
    /// The local files, by the digest of their content.
    let blobs: [String: BlobFile]
    /// The descriptor of the command's standard input.
    let standardInput: Int32
    /// The directory for artifacts.
    let outputDirectory: String

    /// Reads the options.
    ///
    /// - Parameters:
    ///   - options: The options.
    ///   - command: The command.
    ///   - image: The name of the image.
    ///   - keepsOutput: Whether output is kept for the finished run. Otherwise it is passed on, without a limit by default.
    /// - Throws: If an option or a local file is invalid.
    init(
        _ options: RunOptions,
        _ command: [String],
        image: String,
        keepsOutput: Bool
    ) throws(SettingError) {
        do throws(ClientError) {
            if !keepsOutput, let part = options.keepOutput, part != .head {
                throw .invalidArgument(
                    "--keep-output \(part.rawValue): `run` passes output on as it arrives, so it can only keep the head. "
                        + "Add --json, or leave out --keep-output."
                )
            }
            var request = try options.request(command, try options.timeout(orThrow: ClientError.invalidArgument))
            (request.image, request.standardInput) = (image, nil)
            // Output that is passed on cannot wait for its end.
            if !keepsOutput { request.keepOutput = .head }
            let (body, files) = try request.localBody(try SignalSource([SIGHUP, SIGINT, SIGTERM]))
            specification = try Self.decode(
                body,
                image: image,
                unlimitedOutput: !keepsOutput && options.limits.outputBytes == nil
            )
            var blobs: [String: BlobFile] = [:]
            for (digest, file) in files {
                blobs[digest] = BlobFile(path: try Self.realPath(file.path), bytes: file.bytes)
            }
            self.blobs = blobs
            standardInput = try Self.open(options.noStdin ? "/dev/null" : options.stdin ?? "-")
        } catch {
            if case .stopped(let signal) = error { exit(128 + signal) }
            throw SettingError("\(error)")
        }
        outputDirectory = options.outputDirectory
    }

    /// Decodes the body as a server without maxima decodes it.
    private static func decode(
        _ body: [UInt8],
        image: String,
        unlimitedOutput: Bool
    ) throws(ClientError) -> RunSpecification {
        var limits = RequestLimits()
        limits.defaults.defaultProcessors = max(sysconf(Int32(_SC_NPROCESSORS_ONLN)), 2)
        for limit in Limits.table {
            switch limit.value {
            case .seconds(_, let set): set(&limits.maxima, .seconds(315_360_000))
            case .number(_, _, let set): set(&limits.maxima, limit.unit == .bytes ? 1 << 50 : 1 << 20)
            case .decimal(_, _, let set): set(&limits.maxima, nil)
            }
        }
        limits.grace = .seconds(31_536_000)
        (limits.commandElements, limits.files, limits.artifactPatterns) = (1 << 20, 100_000, 1000)
        limits.images.append(image)
        limits.allowsHostNetwork = true
        do throws(ProblemDocument) {
            var specification = try CreateRunDecoder.decode(body, maxima: limits).specification
            if unlimitedOutput { specification.limits.outputBytes = .max }
            return specification
        } catch {
            throw .invalidArgument("The run is invalid: \(error.faultTexts.joined(separator: "; ")).")
        }
    }

    /// Returns the path without symbolic links, because inputs are opened without following links.
    private static func realPath(_ path: String) throws(ClientError) -> String {
        guard let real = realpath(path, nil) else { throw .local("\(path): \(SystemError.meaning(of: errno))") }
        defer { free(real) }
        return String(cString: real)
    }

    /// Opens the source of standard input; `-` is this program's own.
    private static func open(_ path: String) throws(ClientError) -> Int32 {
        if path == "-" { return STDIN_FILENO }
        let raw = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
        guard raw >= 0 else { throw .local("\(path): \(SystemError.meaning(of: errno))") }
        return raw
    }
}

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
