internal import Glibc
internal import System

/// A local file to upload.
///
/// Its digest is computed at once, and its content is read again for the upload.
struct LocalFile {
    private static let bufferBytes = 256 << 10

    let source: String
    let isExecutable: Bool
    let bytes: Int
    let digest: SHA256Digest
    /// A copy of the content if the file is not a regular file and can be read only once.
    private let copy: SpooledFile?

    /// The name of the content in the API.
    var blob: String { "sha256:\(digest.hexadecimal)" }

    /// Reads a file to its end and computes its digest.
    ///
    /// - Parameters:
    ///   - source: The path of the file. If it may be a pipe, `-` is this program's standard input.
    ///   - mayBePipe: Whether the file may be something other than a regular file.
    ///   - signals: The signals to deliver while waiting.
    /// - Throws: `local` if the file cannot be read or has the wrong type.
    init(_ source: String, mayBePipe: Bool = false, signals: SignalSource) throws(ClientError) {
        self.source = source
        let file = try Self.open(source, isOwnInput: mayBePipe && source == "-")
        var status = stat()
        guard fstat(file.raw, &status) == 0 else { throw Self.failure(source) }
        isExecutable = status.st_mode & 0o111 != 0
        let isRegular = status.st_mode & S_IFMT == S_IFREG && source != "-"
        guard isRegular || mayBePipe else { throw .local("\(source): This is not a regular file.") }
        let copy = isRegular ? nil : try SpooledFile()
        self.copy = copy
        var (hasher, count) = (SHA256Hasher(), 0)
        while true {
            // A pipe or a terminal may have nothing yet.
            if isRegular { try signals.deliver() } else { try signals.wait(for: file.raw, events: Int32(POLLIN)) }
            var number: Int32 = 0
            let part = [UInt8](unsafeUninitializedCapacity: Self.bufferBytes) { buffer, length in
                let result = read(file.raw, buffer.baseAddress, buffer.count)
                if result < 0 { number = errno }
                length = max(result, 0)
            }
            if number == EINTR || number == EAGAIN { continue }
            guard number == 0 else { throw Self.failure(source, number) }
            if part.isEmpty { break }
            part.withUnsafeBytes { hasher.update($0) }
            try copy?.append(part)
            count += part.count
        }
        (digest, bytes) = (hasher.finish(), count)
    }

    /// Writes a tar archive of entries to a temporary file.
    ///
    /// The archive has no times, so that an unchanged tree has the same digest again.
    init(archiveOf entries: [LocalEntry], signals: SignalSource) throws(ClientError) {
        let copy = try SpooledFile()
        var (hasher, count) = (SHA256Hasher(), 0)
        func append(_ part: [UInt8]) throws(ClientError) {
            part.withUnsafeBytes { hasher.update($0) }
            try copy.append(part)
            count += part.count
        }
        for entry in entries {
            try signals.deliver()
            switch entry.kind {
            case .directory: try append(TarHeader(path: entry.path, kind: .directory, modified: 0).blocks)
            case .symbolicLink(let target):
                try append(TarHeader(path: entry.path, kind: .symbolicLink(target: target), modified: 0).blocks)
            case .file(let source):
                let file = try Self.open(source)
                var status = stat()
                guard fstat(file.raw, &status) == 0 else { throw Self.failure(source) }
                guard status.st_mode & S_IFMT == S_IFREG else { throw .local("\(source): This is not a regular file.") }
                let (size, isExecutable) = (Int(status.st_size), status.st_mode & 0o111 != 0)
                let kind = TarHeader.Kind.regular(bytes: size, isExecutable: isExecutable)
                try append(TarHeader(path: entry.path, kind: kind, modified: 0).blocks)
                var rest = size
                while rest > 0 {
                    let wanted = min(rest, Self.bufferBytes)
                    let part = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, length in
                        length = max(FileIO.retrying { read(file.raw, buffer.baseAddress, wanted) }, 0)
                    }
                    guard !part.isEmpty else { throw .local("\(source): The file changed while it was read. Retry.") }
                    try append(part)
                    rest -= part.count
                    try signals.deliver()
                }
                try append([UInt8](repeating: 0, count: TarHeader.padding(after: size)))
            }
        }
        try append(TarHeader.endOfArchive)
        (source, isExecutable, self.copy) = (
            "archive of \(entries.count, counting: "entry", plural: "entries")", false, copy
        )
        (digest, bytes) = (hasher.finish(), count)
    }

    /// Calls a closure with an open descriptor of the content.
    func withContent<Result>(
        _ body: (Int32) throws(ClientError) -> Result
    ) throws(ClientError) -> Result {
        if let copy { return try body(copy.raw) }
        let file = try Self.open(source)
        return try body(file.raw)
    }

    private static func open(_ source: String, isOwnInput: Bool = false) throws(ClientError) -> Descriptor {
        // Opening a named pipe must not block: poll(2) waits for its writer, so that signals are delivered meanwhile.
        let flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK
        let raw = isOwnInput ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : Glibc.open(source, flags)
        guard raw >= 0 else { throw failure(source) }
        return Descriptor(owning: raw)
    }

    private static func failure(_ source: String, _ number: Int32 = errno) -> ClientError {
        .local("\(source): \(SystemError.meaning(of: number))")
    }
}

/// A temporary file without a name, for content that can be read only once.
final class SpooledFile {
    private let file: Descriptor

    /// Creates an empty file in `TMPDIR` or `/tmp`.
    init() throws(ClientError) {
        let directory = getenv("TMPDIR").map { String(cString: $0) } ?? ""
        var template = Array(((directory.isEmpty ? "/tmp" : directory) + "/sandglass-XXXXXX").utf8CString)
        let raw = mkstemp(&template)
        guard raw >= 0 else { throw .local(SystemError("mkstemp").description) }
        file = Descriptor(owning: raw)
        unlink(&template)
    }

    /// The descriptor, which is valid as long as this object exists.
    var raw: Int32 { file.raw }

    /// Appends bytes to the file.
    func append(_ part: [UInt8]) throws(ClientError) {
        do throws(SystemError) {
            try FileIO.writeAll(part, to: file.raw)
        } catch {
            throw .local("Cannot write a temporary file: \(SystemError.meaning(of: error.number))")
        }
    }
}
