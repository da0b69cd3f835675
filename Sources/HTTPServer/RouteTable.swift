/// What a router does, apart from the type of its values: code that does not depend on that type runs several
/// times faster than code that learns of it while it runs.
@usableFromInline
struct RouteTable: Sendable {
    private struct Entry: Sendable {
        let pattern: RoutePattern
        /// Two or three; a dictionary would hash the method of every request.
        var lines: [(method: String, number: Int)]

        func line(_ method: String) -> Int? {
            for line in lines where line.method == method { return line.number }
            return method == "HEAD" ? line("GET") : nil
        }

        var methods: [String] { lines.map(\.method) + (line("GET") == nil ? [] : ["HEAD"]) + ["OPTIONS"] }
    }

    private let entries: [Entry]

    /// Reads the methods and patterns of a table's lines.
    init(_ lines: [(method: String, pattern: String)]) {
        var entries: [Entry] = []
        for (number, line) in lines.enumerated() {
            let pattern = RoutePattern(line.pattern)
            let known = entries.firstIndex { $0.pattern == pattern }
            let index = known ?? entries.endIndex
            if known == nil { entries.append(Entry(pattern: pattern, lines: [])) }
            let isNew = !entries[index].lines.contains { $0.method == line.method }
            precondition(isNew, "\(line.method) \(line.pattern) is there twice")
            entries[index].lines.append((line.method, number))
        }
        self.entries = entries.sorted { $0.pattern.precedes($1.pattern) }
    }

    /// The number of the line that a request is for.
    @usableFromInline
    func match(_ request: Request) -> RouteMatch<Int> {
        var allow: Set<String> = []
        let count = request.location.segmentCount
        for entry in entries where entry.pattern.fits(count) {
            guard let parameters = entry.pattern.match(request.location) else { continue }
            if let line = entry.line(request.method) { return .matched(line, parameters: parameters) }
            allow.formUnion(entry.methods)
        }
        return allow.isEmpty ? .notFound : .methodNotAllowed(allow: allow.sorted())
    }
}
