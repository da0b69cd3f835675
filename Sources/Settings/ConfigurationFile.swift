internal import Glibc
internal import System

/// A reader of the files that an operator names: settings, tokens and certificates.
package enum ConfigurationFile {
    /// Reads a whole file.
    ///
    /// Symbolic links are followed. A pipe is read like a file, because `--config <(…)` in a shell is one.
    ///
    /// - Parameters:
    ///   - path: The path of the file.
    ///   - limit: The maximum size in bytes.
    /// - Returns: The content of the file.
    /// - Throws: If the file cannot be read, is larger than `limit`, or is a regular file that everyone may write to.
    ///   Content that everyone may change cannot be relied upon.
    package static func contents(of path: String, atMost limit: Int) throws(SettingError) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw SettingError(SystemError.meaning(of: errno)) }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw SettingError(SystemError.meaning(of: errno)) }
        guard status.st_mode & S_IFMT != S_IFREG || status.st_mode & S_IWOTH == 0 else {
            throw SettingError("it is world-writable; run chmod o-w on it")
        }
        let contents: [UInt8]
        do throws(SystemError) {
            contents = try FileIO.readAll(file, atMost: limit + 1)
        } catch {
            throw SettingError(SystemError.meaning(of: error.number))
        }
        guard contents.count <= limit else { throw SettingError("it is larger than \(limit) bytes") }
        return contents
    }
}
