internal import Glibc
internal import Reactor

/// A line on a terminal that shows how far something is, written over again and again, and gone at the end.
final class ProgressLine {
    /// For the eye.
    private static let interval: Duration = .milliseconds(100)
    /// Back to the line's beginning, and nothing behind it.
    private static let clear = "\r\u{1b}[K"

    private let width = ProgressLine.width(of: STDERR_FILENO)
    private var isShown = false
    private var lastTime = MonotonicTime(nanoseconds: 0)

    /// How many characters a line of a terminal has; `nil`: it is none.
    static func width(of descriptor: Int32) -> Int? {
        guard isatty(descriptor) == 1 else { return nil }
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    /// Shows a text, if standard error is a terminal, and not too often.
    func show(_ text: (_ width: Int) -> String) {
        guard let width, MonotonicTime.now.since(lastTime) >= Self.interval else { return }
        lastTime = .now
        isShown = true
        // In the last column a terminal may begin the next line.
        Diagnostics.write(Self.clear + text(width - 1))
    }

    /// Takes it away.
    func erase() {
        if isShown { Diagnostics.write(Self.clear) }
        isShown = false
    }
}
