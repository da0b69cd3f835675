internal import ArgumentParser
internal import Client
internal import Execution
internal import Glibc
internal import RunAPI
internal import RunModel
internal import Sandbox
internal import Settings
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
