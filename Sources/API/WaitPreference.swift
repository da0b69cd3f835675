internal import HTTPServer
internal import JSON

/// How long a client is willing to wait for a run: `Prefer: wait=N` (RFC 7240) or `?wait=N`.
struct WaitPreference {
    /// How long; at most what the server allows.
    private(set) var duration: Duration
    /// `Preference-Applied`, if it was a preference.
    let headers: [HeaderField]

    /// What a request asks for, or `nil` if it does not want to wait.
    ///
    /// A preference that cannot be understood is ignored, as RFC 7240 has it; a query that cannot is an error.
    init?(_ request: Request, atMost maximum: Duration) throws(Problem) {
        let items = request.query.filter { $0.name == "wait" }
        if let item = items.first {
            guard items.count == 1 else {
                throw Problem(status: 400, detail: "The query has more than one \"wait\".")
            }
            guard let seconds = item.value.flatMap(Self.seconds), seconds >= 0 else {
                throw Problem(status: 400, detail: "The query's \"wait\" must be a number of seconds, such as wait=30.")
            }
            duration = min(.seconds(min(seconds, maximum.inSeconds)), maximum)
            headers = []
        } else if let seconds = Self.preferredSeconds(request) {
            let allowed = min(seconds, Int(maximum.components.seconds))
            duration = .seconds(allowed)
            headers = [HeaderField("Preference-Applied", "wait=\(allowed)")]
        } else {
            return nil
        }
    }

    /// What is left of it when some of it is over.
    func left(after time: Duration) -> WaitPreference {
        var rest = self
        rest.duration = max(duration - time, .zero)
        return rest
    }

    /// A number as JSON has it: `Double` would read `0x1p3` and `nan` too.
    private static func seconds(_ text: String) -> Double? {
        guard let number = JSONNumber(literal: text) else { return nil }
        // What is over every double is over every maximum.
        return number.double ?? (text.utf8.first == UInt8(ascii: "-") ? -.infinity : .infinity)
    }

    /// The first `wait` among the preferences; the others do not count (RFC 7240, section 2).
    private static func preferredSeconds(_ request: Request) -> Int? {
        for value in request.headers.values(of: "Prefer") {
            for preference in value.split(separator: ",") {
                let parts = preference.prefix { $0 != ";" }.split(separator: "=", maxSplits: 1).map(trimmed)
                guard parts.count == 2, parts[0].lowercased() == "wait" else { continue }
                let digits =
                    parts[1].utf8.first == UInt8(ascii: "\"") ? String(parts[1].dropFirst().dropLast()) : parts[1]
                guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
                // Longer than any number: longer than any wait.
                return Int(digits) ?? .max
            }
        }
        return nil
    }

    private static func trimmed(_ text: Substring) -> String {
        func isSpace(_ character: Character) -> Bool { character == " " || character == "\t" }
        var text = text.drop(while: isSpace)
        while let last = text.last, isSpace(last) { text.removeLast() }
        return String(text)
    }
}
