internal import Glibc
internal import Logging

/// What this program says on standard error.
enum Diagnostics {
    /// Writes a line.
    static func say(_ line: String) {
        let text = Array((line + "\n").utf8)
        _ = text.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    /// A log for operators, on standard error.
    static func logger() -> Logger {
        Logger(label: "sandglass") { StreamLogHandler.standardError(label: $0) }
    }
}
