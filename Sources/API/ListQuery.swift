internal import HTTPServer
internal import Runs
internal import Store

/// What `GET /runs` asks for.
struct ListQuery {
    /// How many runs an answer has at most, and unless less are asked for.
    static let most = 100

    /// Which runs.
    let filter: RunFilter
    /// How many.
    let limit: Int

    /// Every outcome by its name.
    static let outcomes: Set = [
        "exited", "signaled", "timed_out", "cpu_limit", "memory_limit", "output_limit", "cancelled", "start_failed",
        "lost",
        "internal_error",
    ]

    /// Reads a query; what it cannot mean is an error, never ignored.
    init(_ request: Request) throws(Problem) {
        var filter = RunFilter()
        var limit = Self.most
        var seen: Set<String> = []
        for item in request.query {
            guard seen.insert(item.name).inserted else {
                throw Problem(status: 400, detail: "The query has more than one \"\(item.name)\".")
            }
            let value = item.value ?? ""
            switch item.name {
            case "state":
                guard let state = RunState(rawValue: value) else {
                    throw Self.fault("state", "queued, running or finished")
                }
                filter.state = state
            case "outcome":
                guard Self.outcomes.contains(value) else {
                    throw Self.fault("outcome", Self.outcomes.sorted().joined(separator: ", "))
                }
                filter.outcome = value
            case "label":
                // By bytes: to a Swift string a colon with an accent behind it is another character.
                guard let colon = value.utf8.firstIndex(of: UInt8(ascii: ":")), colon != value.startIndex else {
                    throw Self.fault("label", "a name, a colon and a value, such as label=branch:main")
                }
                let key = String(value[..<colon])
                filter.label = RunFilter.Label(key: key, value: String(value[value.utf8.index(after: colon)...]))
            case "limit":
                // Written as a number usually is: `Int` would read `+7` and `007` too.
                guard let number = Int(value), "\(number)" == value, (1...Self.most).contains(number) else {
                    throw Self.fault("limit", "a number from 1 to \(Self.most)")
                }
                limit = number
            case "cursor":
                guard let id = RunID(value) else {
                    throw Self.fault("cursor", "what \"next\" said in an earlier answer")
                }
                filter.before = id
            default: break
            }
        }
        self.filter = filter
        self.limit = limit
    }

    /// The query of the page behind a run.
    func next(after id: RunID) -> String {
        var items = ["limit=\(limit)", "cursor=\(id)"]
        if let state = filter.state { items.append("state=\(state.rawValue)") }
        if let outcome = filter.outcome { items.append("outcome=\(outcome)") }
        if let label = filter.label { items.append("label=" + PercentEncoding.encode("\(label.key):\(label.value)")) }
        return items.joined(separator: "&")
    }

    private static func fault(_ name: String, _ must: String) -> Problem {
        Problem(status: 400, detail: "The query's \"\(name)\" must be \(must).")
    }
}
