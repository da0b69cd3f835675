internal import JSON
public import Runs

/// What a run is asked for with, as `POST /runs` takes it.
public struct Submission: Sendable {
    /// argv.
    public var command: [String]
    /// `--file`s.
    public var files: [FileArgument] = []
    /// The path of its input, `-` for this program's own; `nil`: empty.
    public var standardInput: String?
    /// Globs of what is to be kept.
    public var artifacts: [Glob] = []
    /// Variables beside the standard ones; the last of a name counts.
    public var environment: [(name: String, value: String)] = []
    /// What to find it by; the last of a name counts.
    public var labels: [(name: String, value: String)] = []
    /// An absolute path inside the sandbox.
    public var workingDirectory: String?
    /// The name of one of the server's images.
    public var image: String?
    /// `none` or `host`.
    public var network: String?
    /// Whether an earlier run will do.
    public var usesCache = false
    /// `timeoutSeconds`.
    public var timeoutSeconds: Double?
    /// `graceSeconds`.
    public var graceSeconds: Double?
    /// `limits.cpuSeconds`.
    public var cpuSeconds: Double?
    /// The limits that are whole numbers, by their names.
    public var limits: [(name: String, value: Int)] = []

    /// A run of a command, with the server's defaults.
    public init(command: [String]) { self.command = command }

    /// Gives a server the files that it does not have, and creates the run.
    ///
    /// - Parameters:
    ///   - client: how to reach it.
    ///   - progress: told of what is sent: the file, how many bytes of how many.
    /// - Returns: the run as it was created.
    /// - Throws: what is wrong with a file, what the server refuses, and what a stop request throws.
    public func submit(
        to client: APIClient,
        progress: @escaping (_ source: String, _ sent: Int, _ of: Int) -> Void = { _, _, _ in }
    ) throws(ClientError) -> ReceivedRun {
        var upload = BlobUpload(client, progress: progress)
        var places: [(path: String, file: LocalFile)] = []
        for argument in files {
            for (path, source) in try LocalFolder.files(of: argument) {
                places.append((path, try LocalFile(source, stops: client.stops)))
            }
        }
        let input = try standardInput.map { path throws(ClientError) in
            try LocalFile(path, mayBePipe: true, stops: client.stops)
        }
        // Whatever is wrong with a file shows before anything is sent.
        var seen: Set<[UInt8]> = []
        for place in places where !seen.insert(Array(place.path.utf8)).inserted {
            throw .wrongCall("More than one --file is to be at \(place.path).")
        }
        for place in places { try upload.send(place.file) }
        if let input { try upload.send(input) }
        return try client.create(body(places, input))
    }

    func body(_ files: [(path: String, file: LocalFile)], _ input: LocalFile?) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { body in
            body.member("command") { $0.array { for word in command { $0.element(word) } } }
            if !environment.isEmpty { Self.write(environment, "env", to: &body) }
            if let workingDirectory { body.member("workingDirectory", workingDirectory) }
            if let input { body.member("stdin") { $0.object { $0.member("blob", input.blob) } } }
            if !files.isEmpty {
                body.member("files") { list in
                    list.object { list in
                        for (path, file) in files {
                            list.member(path) { content in
                                content.object { content in
                                    content.member("blob", file.blob)
                                    if file.isExecutable { content.member("executable", true) }
                                }
                            }
                        }
                    }
                }
            }
            if !artifacts.isEmpty {
                body.member("artifacts") { $0.array { for glob in artifacts { $0.element(glob.text) } } }
            }
            if let timeoutSeconds { body.member("timeoutSeconds", timeoutSeconds) }
            if let graceSeconds { body.member("graceSeconds", graceSeconds) }
            if cpuSeconds != nil || !limits.isEmpty {
                body.member("limits") { object in
                    object.object { object in
                        if let cpuSeconds { object.member("cpuSeconds", cpuSeconds) }
                        for (name, value) in limits { object.member(name, value) }
                    }
                }
            }
            if let network { body.member("network", network) }
            if let image { body.member("image", image) }
            if usesCache { body.member("cache", true) }
            if !labels.isEmpty { Self.write(labels, "labels", to: &body) }
        }
        return writer.bytes
    }

    /// The last of a name counts, at the place of the first.
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
