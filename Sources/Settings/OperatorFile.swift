internal import Glibc
internal import Reactor

/// Reading a file that an operator has named: settings, tokens, certificates.
public enum OperatorFile {
    /// The bytes of a file.
    ///
    /// A link is followed, and a pipe is read like a file: `--config <(…)` of a shell is one.
    ///
    /// - Parameters:
    ///   - path: where it is.
    ///   - limit: the most bytes that it may have.
    /// - Returns: all of them.
    /// - Throws: why it cannot be used; a file that anybody may write to says nothing that can be relied upon.
    public static func contents(of path: String, atMost limit: Int) throws(SettingError) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw SettingError(SystemError.meaning(of: errno)) }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw SettingError(SystemError.meaning(of: errno)) }
        guard status.st_mode & S_IFMT != S_IFREG || status.st_mode & S_IWOTH == 0 else {
            throw SettingError("everybody may write to it; take that right away (chmod o-w)")
        }
        var contents: [UInt8] = []
        while contents.count <= limit {
            var failure: Int32 = 0
            let part = [UInt8](unsafeUninitializedCapacity: 65536) { buffer, count in
                let result = read(file, buffer.baseAddress, buffer.count)
                if result < 0 { failure = errno }
                count = max(0, result)
            }
            if failure == EINTR { continue }
            guard failure == 0 else { throw SettingError(SystemError.meaning(of: failure)) }
            if part.isEmpty { return contents }
            contents += part
        }
        throw SettingError("it is larger than \(limit) bytes")
    }
}
