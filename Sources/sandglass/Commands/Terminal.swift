internal import Glibc
internal import System

/// Messages on standard error.
enum Diagnostics {
    /// Writes a line.
    static func print(_ line: String) { write(line + "\n") }

    /// Writes a text without a newline.
    static func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = bytes.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}

/// A line on a terminal that shows the progress of an operation, is overwritten repeatedly, and is erased at the end.
final class ProgressLine {
    /// The minimum interval between two updates, short enough for the eye.
    private static let interval: Duration = .milliseconds(100)
    /// The characters that move to the beginning of the line and erase the line.
    private static let clear = "\r\u{1b}[K"

    private let width = ProgressLine.width(of: STDERR_FILENO)
    private var isShown = false
    private var lastTime = MonotonicTime(nanoseconds: 0)

    /// Returns the number of columns of a terminal; `nil` if the descriptor is not a terminal.
    static func width(of descriptor: Int32) -> Int? {
        guard isatty(descriptor) == 1 else { return nil }
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    /// Shows a text if standard error is a terminal, at most ten times per second.
    func show(_ text: (_ width: Int) -> String) {
        guard let width, MonotonicTime.now.since(lastTime) >= Self.interval else { return }
        lastTime = .now
        isShown = true
        // A character in the last column may make the terminal begin the next line.
        Diagnostics.write(Self.clear + text(width - 1))
    }

    /// Erases the line.
    func erase() {
        if isShown { Diagnostics.write(Self.clear) }
        isShown = false
    }
}
