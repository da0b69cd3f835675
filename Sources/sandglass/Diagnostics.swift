internal import Glibc

/// What this program says on standard error.
enum Diagnostics {
    /// Writes a line.
    static func say(_ line: String) { write(line + "\n") }

    /// Writes a text as it is.
    static func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = bytes.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
