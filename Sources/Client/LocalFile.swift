internal import Digests
internal import Glibc
internal import Reactor

/// A file of this machine that a run is given: its digest is known, its content is read again when it is sent.
struct LocalFile {
    private static let portion = 256 << 10

    let source: String
    let isExecutable: Bool
    let bytes: Int
    let digest: SHA256Digest
    /// What there is of a file that is no regular one: it can be read but once.
    private let copy: SpooledFile?

    /// The name of its content in the API.
    var blob: String { "sha256:\(digest.hexadecimal)" }

    /// Reads a file to its end.
    ///
    /// - Parameters:
    ///   - source: its path; `-` is this program's standard input, if that may be.
    ///   - mayBePipe: whether it may be something else than a regular file.
    ///   - stops: what is heard of meanwhile.
    /// - Throws: `local` with what is wrong with it.
    init(_ source: String, mayBePipe: Bool = false, stops: StopRequests) throws(ClientError) {
        self.source = source
        let file = try Self.open(source, isOwnInput: mayBePipe && source == "-")
        var status = stat()
        guard fstat(file.raw, &status) == 0 else { throw Self.failure(source) }
        isExecutable = status.st_mode & 0o111 != 0
        let isRegular = status.st_mode & S_IFMT == S_IFREG && source != "-"
        guard isRegular || mayBePipe else { throw .local("\(source): It is no regular file.") }
        let copy = isRegular ? nil : try SpooledFile()
        self.copy = copy
        var (hasher, count) = (SHA256Hasher(), 0)
        while true {
            // A pipe or a terminal may have nothing yet.
            if isRegular { try stops.deliver() } else { try stops.wait(for: file.raw, events: Int32(POLLIN)) }
            var number: Int32 = 0
            let part = [UInt8](unsafeUninitializedCapacity: Self.portion) { buffer, length in
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

    /// Does something with its content, open.
    func withContent<Result>(
        _ body: (Int32) throws(ClientError) -> Result
    ) throws(ClientError) -> Result {
        if let copy { return try body(copy.raw) }
        let file = try Self.open(source)
        return try body(file.raw)
    }

    private static func open(_ source: String, isOwnInput: Bool = false) throws(ClientError) -> Descriptor {
        // If it is a named pipe it is poll(2) that waits for whoever writes to it, and hears of signals meanwhile.
        let flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK
        let raw = isOwnInput ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : Glibc.open(source, flags)
        guard raw >= 0 else { throw failure(source) }
        return Descriptor(owning: raw)
    }

    private static func failure(_ source: String, _ number: Int32 = errno) -> ClientError {
        .local("\(source): \(SystemError.meaning(of: number))")
    }
}
