internal import Runs

/// Where a client is in a run's events: what stands in an event's `id` and comes back as `Last-Event-ID`.
///
/// `4096-12`: so many bytes of standard output and of standard error have been told; with `-end` the end has been, too. It means the
/// same to any server that knows the run.
struct EventPosition: Equatable {
    var standardOutput = 0
    var standardError = 0
    /// Whether the end was told: nothing follows.
    var isEnd = false

    /// Before the first event.
    init() {}

    /// Reads what ``text`` wrote; `nil` if it is anything else.
    init?(_ text: String) {
        var parts = text.split(separator: "-", omittingEmptySubsequences: false)
        if parts.count == 3, parts[2] == "end" {
            isEnd = true
            parts.removeLast()
        }
        guard parts.count == 2, let output = Self.number(parts[0]), let error = Self.number(parts[1]) else {
            return nil
        }
        (standardOutput, standardError) = (output, error)
    }

    var text: String { "\(standardOutput)-\(standardError)\(isEnd ? "-end" : "")" }

    /// How far it is in a stream.
    subscript(stream: OutputStream) -> Int {
        get { stream == .standardOutput ? standardOutput : standardError }
        set {
            switch stream {
            case .standardOutput: standardOutput = newValue
            case .standardError: standardError = newValue
            }
        }
    }

    /// Digits as `text` writes them: one text for one position.
    private static func number(_ digits: Substring) -> Int? {
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), digits == "0" || digits.utf8.first != 0x30 else {
            return nil
        }
        return Int(digits)
    }
}
