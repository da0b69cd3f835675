internal import HTTPServer
internal import JSON
internal import RunAPI

/// The time that a client is willing to wait for a run: `Prefer: wait=N` (RFC 7240) or `?wait=N`.
struct WaitPreference {
    /// The time to wait, at most the server's maximum.
    private(set) var duration: Duration
    /// The header `Preference-Applied`, if the client sent a preference.
    let headers: [HeaderField]

    /// Parses the preference of a request; `nil` if the client does not want to wait.
    ///
    /// A malformed preference is ignored, as RFC 7240 requires.
    ///
    /// - Throws: a 400 problem for a malformed or repeated query parameter.
    init?(_ request: Request, atMost maximum: Duration) throws(Problem) {
        let items = request.query.filter { $0.name == "wait" }
        if let item = items.first {
            guard items.count == 1 else { throw .repeatedQueryParameter("wait") }
            guard let seconds = item.value.flatMap(Self.seconds), seconds >= 0 else {
                throw .invalidQueryParameter("wait", "a number of seconds, such as wait=30")
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

    /// Returns the preference reduced by the time that has passed, at least 0.
    func remaining(after time: Duration) -> WaitPreference {
        var rest = self
        rest.duration = max(duration - time, .zero)
        return rest
    }

    /// Parses a number with the grammar of JSON: `Double` would also accept `0x1p3` and `nan`.
    private static func seconds(_ text: String) -> Double? {
        guard let number = JSONNumber(literal: text) else { return nil }
        // A number too large for a double exceeds every maximum.
        return number.double ?? (text.utf8.first == UInt8(ascii: "-") ? -.infinity : .infinity)
    }

    /// Returns the first `wait` among the preferences; later ones do not count (RFC 7240, section 2).
    private static func preferredSeconds(_ request: Request) -> Int? {
        for value in request.headers.values(of: "Prefer") {
            for preference in value.split(separator: ",") {
                let parts = preference.prefix { $0 != ";" }.split(separator: "=", maxSplits: 1).map(trimmed)
                guard parts.count == 2, parts[0].lowercased() == "wait" else { continue }
                let digits =
                    parts[1].utf8.first == UInt8(ascii: "\"") ? String(parts[1].dropFirst().dropLast()) : parts[1]
                guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
                // A number too large for an integer exceeds every maximum.
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
