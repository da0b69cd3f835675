internal import Glibc
internal import JSON
package import RunAPI
package import RunModel
internal import System

/// The content of a request to create a run (`POST /runs`), with local files.
package struct SubmitRequest: Sendable {
    /// The program and its arguments.
    package var command: [String]
    /// The files to upload.
    package var files: [FileArgument] = []
    /// The patterns of entries inside directories to leave out.
    package var excluded: [ExcludePattern] = []
    /// The path of the standard input; `-` for this program's own, `nil` for none.
    package var standardInput: String?
    /// The patterns of the artifacts to keep.
    package var artifacts: [Glob] = []
    /// Additional environment variables; the last value of a name counts.
    package var environment: [(name: String, value: String)] = []
    /// The labels; the last value of a name counts.
    package var labels: [(name: String, value: String)] = []
    /// An absolute path inside the sandbox.
    package var workingDirectory: String?
    /// The name of one of the server's images.
    package var image: String?
    /// `none` or `host`.
    package var network: String?
    /// True if the server may return the result of an identical earlier run.
    package var usesCache = false
    /// `timeoutSeconds`.
    package var timeoutSeconds: Double?
    /// `graceSeconds`.
    package var graceSeconds: Double?
    /// `limits.cpuSeconds`.
    package var cpuSeconds: Double?
    /// `limits.cpus`.
    package var cpus: Double?
    /// The limits that are whole numbers, by their names in the API.
    package var limits: [(name: String, value: Int)] = []
    /// True if standard error goes to standard output (`mergeStderr`).
    package var mergesStandardError = false
    /// The part of a stream to keep (`keepOutput`).
    package var keepOutput = KeepOutput.head

    /// Creates a request with the server's defaults.
    package init(command: [String]) { self.command = command }

    /// Uploads the files that the server does not have yet, and creates the run.
    ///
    /// - Parameters:
    ///   - client: The client of the server.
    ///   - progress: Called with the name of a file, its sent bytes and its size.
    /// - Returns: The created run.
    /// - Throws: If a file cannot be read, a request fails or is refused, or a signal stops the client.
    package func submit(
        to client: APIClient,
        progress: @escaping (_ source: String, _ sent: Int, _ of: Int) -> Void = { _, _, _ in }
    ) throws(ClientError) -> ReceivedRun {
        var uploader = BlobUploader(client, progress: progress)
        // Every fault of a file must be found before anything is sent.
        let local = try localEntries(for: client)
        var entries: [UploadEntry] = []
        if local.count > Self.mostSingleFiles {
            entries = [
                UploadEntry(path: RunFile.box, kind: .archive(try LocalFile(archiveOf: local, signals: client.signals)))
            ]
        } else {
            for entry in local { entries.append(try UploadEntry(entry, signals: client.signals)) }
        }
        var input = try standardInput.map { path throws(ClientError) in
            try LocalFile(path, mayBePipe: true, signals: client.signals)
        }
        if input?.bytes == 0 { input = nil }
        for entry in entries { if let file = entry.file { try uploader.upload(file) } }
        if let input { try uploader.upload(input) }
        return try client.create(body(entries, input))
    }

    /// Describes the run as a `POST /runs` body for this machine, without standard input.
    ///
    /// - Parameter signals: The signals to deliver while files are read.
    /// - Returns: The body, and the local path and size of each blob in it, by its digest.
    /// - Throws: If a file cannot be read, or a signal stops the program.
    package func localBody(
        _ signals: SignalSource
    ) throws(ClientError) -> (body: [UInt8], blobs: [String: (path: String, bytes: Int)]) {
        var entries: [UploadEntry] = []
        var blobs: [String: (path: String, bytes: Int)] = [:]
        for entry in try listedEntries() {
            let ready = try UploadEntry(entry, signals: signals)
            if let file = ready.file { blobs[file.digest.hexadecimal] = (file.source, file.bytes) }
            entries.append(ready)
        }
        return (body(entries, nil), blobs)
    }

    /// The number of entries up to which each is sent by itself, and above which all are sent as one archive.
    private static let mostSingleFiles = 256

    /// Lists what the arguments name.
    private func listedEntries() throws(ClientError) -> [LocalEntry] {
        var entries: [LocalEntry] = []
        for argument in files { entries += try LocalDirectory.entries(of: argument, excluding: excluded) }
        var seen: Set<[UInt8]> = []
        for entry in entries where !seen.insert(Array(entry.path.utf8)).inserted {
            throw .invalidArgument("More than one --file has the path \(entry.path). Remove all but one.")
        }
        return entries
    }

    /// Lists what the arguments name, and checks it against the limits of the server.
    private func localEntries(for client: APIClient) throws(ClientError) -> [LocalEntry] {
        let entries = try listedEntries()
        var total = 0
        for case .file(let source) in entries.map(\.kind) {
            var status = stat()
            guard stat(source, &status) == 0 else { throw .local("\(source): \(SystemError.meaning(of: errno))") }
            guard status.st_mode & S_IFMT == S_IFREG else { throw .local("\(source): This is not a regular file.") }
            if access(source, R_OK) != 0 {
                throw .local("\(source): \(SystemError.meaning(of: errno))")
            }
            total += Int(status.st_size)
        }
        guard !entries.isEmpty, let maxima = try client.capabilities() else { return entries }
        let most = maxima["maxima"]?.object?["archiveEntries"]?.integer ?? maxima["maxima"]?.object?["files"]?.integer
        if let most, entries.count > most {
            throw .local(
                "The --file arguments name \(entries.count, counting: "file, link or directory", plural: "files, links and directories"), but the server takes at most "
                    + "\(most). Leave some out with --exclude."
            )
        }
        let disk = limits.last { $0.name == "diskBytes" }?.value
        let room = disk ?? maxima["defaults"]?.object?["limits"]?.object?["diskBytes"]?.integer
        if let room, total > room {
            throw .local(
                "The files have \(total, counting: "byte"), but the run may store only \(room). Raise --disk-bytes, or leave files out "
                    + "with --exclude."
            )
        }
        return entries
    }

    func body(_ files: [UploadEntry], _ input: LocalFile?) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { body in
            body.member("command") { $0.array { for word in command { $0.element(word) } } }
            if !environment.isEmpty { Self.write(environment, "env", to: &body) }
            if let workingDirectory { body.member("workingDirectory", workingDirectory) }
            if let input { body.member("stdin") { $0.object { $0.member("blob", input.blob) } } }
            if !files.isEmpty {
                body.member("files") { list in
                    list.object { list in
                        for file in files { list.member(file.path) { $0.object { file.write(to: &$0) } } }
                    }
                }
            }
            if !artifacts.isEmpty {
                body.member("artifacts") { $0.array { for glob in artifacts { $0.element(glob.text) } } }
            }
            if let timeoutSeconds { body.member("timeoutSeconds", timeoutSeconds) }
            if let graceSeconds { body.member("graceSeconds", graceSeconds) }
            if cpuSeconds != nil || cpus != nil || !limits.isEmpty {
                body.member("limits") { object in
                    object.object { object in
                        if let cpuSeconds { object.member("cpuSeconds", cpuSeconds) }
                        if let cpus { object.member("cpus", cpus) }
                        for (name, value) in limits { object.member(name, value) }
                    }
                }
            }
            if mergesStandardError { body.member("mergeStderr", true) }
            if keepOutput != .head { body.member("keepOutput", keepOutput.rawValue) }
            if let network { body.member("network", network) }
            if let image { body.member("image", image) }
            if usesCache { body.member("cache", true) }
            if !labels.isEmpty { Self.write(labels, "labels", to: &body) }
        }
        return writer.bytes
    }

    /// Writes an object.
    ///
    /// The last value of a name counts, at the position of the first.
    private static func write(_ pairs: [(name: String, value: String)], _ name: String, to body: inout JSONWriter) {
        var values: [[UInt8]: String] = [:]
        for pair in pairs { values[Array(pair.name.utf8)] = pair.value }
        body.member(name) { object in
            object.object { object in
                for pair in pairs {
                    if let value = values.removeValue(forKey: Array(pair.name.utf8)) { object.member(pair.name, value) }
                }
            }
        }
    }
}

/// An entry of `files` whose content, if it has any, is read and ready to be sent.
struct UploadEntry {
    enum Kind {
        case file(LocalFile)
        case directory
        case symbolicLink(target: String)
        case archive(LocalFile)
    }

    let path: String
    let kind: Kind

    init(path: String, kind: Kind) { (self.path, self.kind) = (path, kind) }

    init(_ entry: LocalEntry, signals: SignalSource) throws(ClientError) {
        path = entry.path
        switch entry.kind {
        case .file(let source): kind = .file(try LocalFile(source, signals: signals))
        case .directory: kind = .directory
        case .symbolicLink(let target): kind = .symbolicLink(target: target)
        }
    }

    /// The content to upload; `nil` for links and directories.
    var file: LocalFile? {
        switch kind {
        case .file(let file), .archive(let file): file
        case .directory, .symbolicLink: nil
        }
    }

    func write(to object: inout JSONWriter) {
        switch kind {
        case .file(let file):
            object.member("blob", file.blob)
            if file.isExecutable { object.member("executable", true) }
        case .directory: object.member("directory", true)
        case .symbolicLink(let target): object.member("symlink", target)
        case .archive(let file): object.member("tar") { $0.object { $0.member("blob", file.blob) } }
        }
    }
}

/// An uploader of file contents that the server does not have yet.
private struct BlobUploader {
    typealias Progress = (_ source: String, _ sent: Int, _ of: Int) -> Void

    private let client: APIClient
    private let progress: Progress
    private var uploaded: Set<SHA256Digest> = []

    init(_ client: APIClient, progress: @escaping Progress) { (self.client, self.progress) = (client, progress) }

    /// Makes sure that the server has the content of a file.
    ///
    /// Equal contents are uploaded once.
    mutating func upload(_ file: LocalFile) throws(ClientError) {
        guard !uploaded.contains(file.digest) else { return }
        let target = "/blobs/\(file.blob)"
        // HEAD counts as a use of the blob: the server does not delete it before the run is created.
        let response = try client.send(OutgoingRequest(method: "HEAD", target: target), expecting: [404])
        if response.status == 404 { try put(file, target) }
        uploaded.insert(file.digest)
    }

    private func put(_ file: LocalFile, _ target: String) throws(ClientError) {
        let response = try file.withContent { descriptor throws(ClientError) in
            try client.send(
                OutgoingRequest(method: "PUT", target: target, body: .file(descriptor, count: file.bytes)),
                expecting: [422],
                progress: { sent throws(ClientError) in progress(file.source, sent, file.bytes) }
            )
        }
        guard response.status != 422 else {
            throw .local("\(file.source): The file changed while it was sent. Retry when it no longer changes.")
        }
    }
}
