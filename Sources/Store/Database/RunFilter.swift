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
    /// The beginning of the command, its arguments joined by spaces, or `nil` for every command; at most
    /// ``longestCommand`` bytes.
    package var command: String?
    /// The time before which no run was accepted, or `nil` for no such time.
    package var since: Timestamp?
    /// The time before which every run was accepted, or `nil` for no such time.
    package var until: Timestamp?
    /// A principal whose runs alone are listed, in addition to ``principal``.
    package var ownedBy: String?
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

    /// The number of bytes of a command by which it can be found.
    package static let longestCommand = 256

    /// Returns the text by which a command is found: its arguments joined by spaces, cut after ``longestCommand`` bytes.
    static func searchText(of command: [String]) -> String {
        var text: [UInt8] = []
        for word in command where text.count <= longestCommand {
            if !text.isEmpty { text.append(UInt8(ascii: " ")) }
            text += word.utf8.prefix(longestCommand + 4)
        }
        // A character that the cut splits is not part of the text.
        let bytes = text.prefix(longestCommand)
        var end = bytes.endIndex
        if text.count > longestCommand { while end > 0, text[end] & 0xC0 == 0x80 { end -= 1 } }
        return String(decoding: bytes[..<end], as: UTF8.self)
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
        for principal in [principal, ownedBy].compactMap({ $0 }) {
            // The unary plus keeps SQLite from using this index instead of the more selective one.
            let hasBetterIndex = outcome != nil || label != nil || [.queued, .running].contains(state)
            add(hasBetterIndex ? "+principal = ?" : "principal = ?", .text(principal))
        }
        let order = label == nil ? "run.id" : "label.id"
        if let command {
            // UTF-8 text compares by its bytes, and U+10FFFF is above every character.
            add("command >= ? AND command < ?", .text(command), .text(command + "\u{10FFFF}"))
        }
        // An id begins with the time in milliseconds at which its run was accepted.
        if let since { add("\(order) >= ?", .bytes(RunID.first(at: since).bytes)) }
        if let until { add("\(order) < ?", .bytes(RunID.first(at: until).bytes)) }
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
