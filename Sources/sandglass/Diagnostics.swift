internal import Glibc

/// What this program says on standard error.
enum Diagnostics {
    /// Writes a line.
    static func say(_ line: String) {
        let text = Array((line + "\n").utf8)
        _ = text.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
