internal import HTTPServer
internal import RunModel
internal import Store

/// The query of `GET /runs`.
struct ListQuery {
    /// The maximum and default number of runs in a response.
    static let maximumLimit = 100

    let filter: RunFilter
    /// The number of runs in a response.
    let limit: Int

    /// Parses the query of a request.
    ///
    /// - Throws: a 400 problem for a malformed or repeated parameter.
    init(_ request: Request) throws(Problem) {
        var filter = RunFilter()
        var limit = Self.maximumLimit
        var seen: Set<String> = []
        for item in request.query {
            guard seen.insert(item.name).inserted else { throw .repeatedQueryParameter(item.name) }
            let value = item.value ?? ""
            switch item.name {
            case "state":
                guard let state = RunState(rawValue: value) else {
                    throw .invalidQueryParameter("state", "queued, running or finished")
                }
                filter.state = state
            case "outcome":
                guard Outcome.names.contains(value) else {
                    throw .invalidQueryParameter("outcome", "one of " + Outcome.names.sorted().joined(separator: ", "))
                }
                filter.outcome = value
            case "label":
                // The name of a label contains neither separator. Compared by bytes: an equals sign followed by a
                // combining accent is a different character to Swift.
                let separator = value.utf8.firstIndex { $0 == UInt8(ascii: "=") || $0 == UInt8(ascii: ":") }
                guard let separator, separator != value.startIndex else {
                    throw .invalidQueryParameter(
                        "label",
                        "a name, an equals sign and a value, such as label=branch=main"
                    )
                }
                let key = String(value[..<separator])
                filter.label = RunFilter.Label(key: key, value: String(value[value.utf8.index(after: separator)...]))
            case "principal": filter.principal = value
            case "command":
                guard (1...RunFilter.longestCommand).contains(value.utf8.count) else {
                    throw .invalidQueryParameter(
                        "command",
                        "the beginning of a command, from 1 to \(RunFilter.longestCommand) bytes"
                    )
                }
                filter.command = value
            case "since": filter.since = try Self.time(value, "since")
            case "until": filter.until = try Self.time(value, "until")
            case "limit":
                // Only the usual notation is accepted: `Int` would also accept `+7` and `007`.
                guard let number = Int(value), "\(number)" == value, (1...Self.maximumLimit).contains(number) else {
                    throw .invalidQueryParameter("limit", "a number from 1 to \(Self.maximumLimit)")
                }
                limit = number
            case "cursor":
                guard let id = RunID(value) else {
                    throw .invalidQueryParameter("cursor", "the value of \"next\" in an earlier response")
                }
                filter.before = id
            default: break
            }
        }
        self.filter = filter
        self.limit = limit
    }

    private static func time(_ value: String, _ name: String) throws(Problem) -> Timestamp {
        guard let time = Timestamp(value) else {
            throw .invalidQueryParameter(name, "a time as of RFC 3339, such as 2026-01-31T08:15:30Z")
        }
        return time
    }

    /// Returns the query of the page that follows a run.
    func next(after id: RunID) -> String {
        var items = ["limit=\(limit)", "cursor=\(id)"]
        if let state = filter.state { items.append("state=\(state.rawValue)") }
        if let outcome = filter.outcome { items.append("outcome=\(outcome)") }
        if let label = filter.label {
            items.append("label=\(Self.percentEncoded(label.key))=\(Self.percentEncoded(label.value))")
        }
        let texts = [
            ("principal", filter.principal), ("command", filter.command), ("since", filter.since?.description),
            ("until", filter.until?.description),
        ]
        items += texts.compactMap { name, value in value.map { "\(name)=\(Self.percentEncoded($0))" } }
        return items.joined(separator: "&")
    }

    /// Encodes all characters except the unreserved ones and the colon (RFC 3986, section 2.1).
    private static func percentEncoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"), UInt8(ascii: ":"):
                bytes.append(byte)
            default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
