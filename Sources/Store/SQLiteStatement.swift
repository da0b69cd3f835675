internal import CSQLite

/// A compiled statement of a ``SQLiteConnection``.
final class SQLiteStatement {
    private let handle: OpaquePointer
    private let connection: SQLiteConnection

    init(_ handle: OpaquePointer, of connection: SQLiteConnection) {
        self.handle = handle
        self.connection = connection
    }

    deinit { sqlite3_finalize(handle) }

    /// Gives the parameters their values, the first one first.
    func bind(_ values: [SQLiteValue]) throws(StoreError) {
        for (index, value) in zip(Int32(1)..., values) {
            let code =
                switch value {
                case .null: sqlite3_bind_null(handle, index)
                case .integer(let number): sqlite3_bind_int64(handle, index, number)
                case .text(let text): sandglass_sqlite_bind_text(handle, index, text, Int32(clamping: text.utf8.count))
                case .bytes(let bytes): sandglass_sqlite_bind_bytes(handle, index, bytes, Int32(clamping: bytes.count))
                }
            guard code == SQLITE_OK else { throw connection.error("write", code) }
        }
    }

    /// Goes to the next row; `false` when there is none.
    func next() throws(StoreError) -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let code: throw connection.error(sqlite3_stmt_readonly(handle) == 0 ? "write" : "read", code)
        }
    }

    /// Runs it with these values, for what it does and not for its rows.
    func run(_ values: [SQLiteValue] = []) throws(StoreError) {
        defer { reset() }
        try bind(values)
        while try next() {}
    }

    /// Lets go of its rows and its values.
    func reset() {
        sqlite3_reset(handle)
        sqlite3_clear_bindings(handle)
    }

    /// How many instructions of the library's machine it has run since it was asked last: what it costs, whatever the clock says.
    func takeSteps() -> Int { Int(sqlite3_stmt_status(handle, SQLITE_STMTSTATUS_VM_STEP, 1)) }

    // MARK: The columns of a row

    func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }

    func text(_ column: Int32) -> String {
        sqlite3_column_text(handle, column).map { String(cString: $0) } ?? ""
    }

    func bytes(_ column: Int32) -> [UInt8] {
        guard let start = sqlite3_column_blob(handle, column) else { return [] }
        return Array(UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, column))))
    }
}
