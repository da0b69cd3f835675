internal import Glibc
internal import Reactor

/// A file without a name, for what can be read but once.
final class SpooledFile {
    private let file: Descriptor

    /// An empty one, in `TMPDIR` or `/tmp`.
    init() throws(ClientError) {
        let folder = getenv("TMPDIR").map { String(cString: $0) } ?? ""
        var template = Array(((folder.isEmpty ? "/tmp" : folder) + "/sandglass-XXXXXX").utf8CString)
        let raw = mkstemp(&template)
        guard raw >= 0 else { throw .local(SystemError("mkstemp").description) }
        file = Descriptor(owning: raw)
        unlink(&template)
    }

    /// Its descriptor, for as long as this is there.
    var raw: Int32 { file.raw }

    /// Writes a part to its end.
    func append(_ part: [UInt8]) throws(ClientError) {
        var rest = part[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(file.raw, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                throw .local("A temporary file cannot be written: \(SystemError.meaning(of: errno))")
            }
            rest = rest.dropFirst(count)
        }
    }
}
