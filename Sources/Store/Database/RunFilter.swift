package import RunModel

/// The criteria of a list of runs; a run must meet all of them.
package struct RunFilter: Sendable, Hashable {
    /// The state, or `nil` for every state.
    package var state: RunState?
    /// The API's name of the outcome, or `nil` for every outcome.
    package var outcome: String?
    /// A label, or `nil` for runs with any labels.
    package var label: Label?
    /// The owner, or `nil` for every principal.
    package var principal: String?
    /// The cursor: only runs older than this one match.
    package var before: RunID?

    /// A label's name and value.
    package struct Label: Sendable, Hashable {
        /// The name.
        package let key: String
        /// The value.
        package let value: String

        /// Creates a label.
        package init(key: String, value: String) {
            self.key = key
            self.value = value
        }
    }

    /// Creates a filter that every run passes.
    package init() {}

    /// Builds the query for the newest runs that pass the filter.
    ///
    /// The last parameter is the maximum number of rows. Each filter walks an index of its own, so a page costs the
    /// same wherever it is in the list.
    ///
    /// - Parameter columns: the selected columns.
    /// - Returns: the query, and the values of its parameters except the last one.
    func query(_ columns: String) -> (sql: String, values: [SQLiteValue]) {
        var conditions: [String] = []
        var values: [SQLiteValue] = []
        func add(_ condition: String, _ value: SQLiteValue...) {
            conditions.append(condition)
            values += value
        }
        var table = "run"
        if let label {
            table = "label JOIN run USING (id)"
            add("label.key = ? AND label.value = ?", .text(label.key), .text(label.value))
        }
        switch state {
        case .finished?: add("+state = 2")
        case let state?: add("state < 2 AND +state = \(state.column)")
        case nil: break
        }
        if let outcome { add("outcome = ?", .text(outcome)) }
        if let principal {
            // The unary plus keeps SQLite from using this index instead of the more selective one.
            let hasBetterIndex = outcome != nil || label != nil || [.queued, .running].contains(state)
            add(hasBetterIndex ? "+principal = ?" : "principal = ?", .text(principal))
        }
        let order = label == nil ? "run.id" : "label.id"
        if let before { add("\(order) < ?", .bytes(before.bytes)) }
        let condition = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
        return ("SELECT \(columns) FROM \(table) \(condition) ORDER BY \(order) DESC LIMIT ?", values)
    }
}

extension RunState {
    /// The value of the `state` column; the schema and the queries spell it out as a number.
    var column: Int64 {
        switch self {
        case .queued: 0
        case .running: 1
        case .finished: 2
        }
    }
}
