internal import CSQLite
internal import Glibc

/// An open database file, used by one thread at a time.
///
/// Source: <https://sqlite.org/cintro.html>.
final class SQLiteConnection {
    private let handle: OpaquePointer
    /// The path of the database file.
    let path: String

    /// Opens a database file and creates it if it does not exist.
    init(path: String) throws(StoreError) {
        var handle: OpaquePointer?
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
        let code = sqlite3_open_v2(path, &handle, flags, nil)
        guard code == SQLITE_OK, let handle else {
            defer { sqlite3_close_v2(handle) }
            throw Self.error("open", path, handle, code)
        }
        self.handle = handle
        self.path = path
        sandglass_sqlite_disable_checkpoint_on_close(handle)
    }

    deinit { sqlite3_close_v2(handle) }

    /// Executes statements that have neither parameters nor result rows.
    func execute(_ sql: String) throws(StoreError) {
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw error("write", code) }
    }

    /// Compiles a statement that the caller will run many times.
    func prepare(_ sql: String) throws(StoreError) -> SQLiteStatement {
        var statement: OpaquePointer?
        let code = sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil)
        guard code == SQLITE_OK, let statement else { throw error("read", code) }
        return SQLiteStatement(statement, of: self)
    }

    /// Returns the integer in the first column of the first row, or 0 if there is no row.
    func number(_ sql: String) throws(StoreError) -> Int64 {
        let statement = try prepare(sql)
        defer { statement.reset() }
        return try statement.next() ? statement.integer(0) : 0
    }

    /// The number of rows that the last statement inserted, updated or deleted.
    var changes: Int { Int(sqlite3_changes(handle)) }

    /// Runs `body` in a transaction, and rolls the transaction back if `body` or the commit fails.
    func transaction(_ body: () throws(StoreError) -> Void) throws(StoreError) {
        try execute("BEGIN IMMEDIATE")
        do throws(StoreError) {
            try body()
            try execute("COMMIT")
        } catch {
            // SQLite rolls back by itself after some errors (sqlite3_get_autocommit).
            if sqlite3_get_autocommit(handle) == 0 { try? execute("ROLLBACK") }
            throw error
        }
    }

    fileprivate func error(_ operation: String, _ code: Int32) -> StoreError {
        Self.error(operation, path, handle, code)
    }

    private static func error(
        _ operation: String,
        _ path: String,
        _ handle: OpaquePointer?,
        _ code: Int32
    ) -> StoreError {
        let text = handle.map { String(cString: sqlite3_errmsg($0)) } ?? String(cString: sqlite3_errstr(code))
        let system = handle.map { sqlite3_system_errno($0) } ?? 0
        let (number, advice): (Int32, String) =
            switch code & 0xFF {
            case SQLITE_FULL: (ENOSPC, "; free some space on its file system")
            case SQLITE_CORRUPT, SQLITE_NOTADB:
                (
                    EUCLEAN,
                    "; nothing was changed. Restore the file from a backup, or move it and the files beside it away "
                        + "and start with an empty one"
                )
            case SQLITE_IOERR, SQLITE_CANTOPEN: (system == 0 ? EIO : system, "")
            case SQLITE_NOMEM: (ENOMEM, "")
            case SQLITE_BUSY, SQLITE_LOCKED: (EBUSY, "; another program has the file open, stop that program")
            case SQLITE_READONLY: (EROFS, "; make the file and its directory writable")
            default: (EIO, "")
            }
        return StoreError(operation: operation, path: path, number: number, detail: text + advice)
    }
}

/// A compiled statement of a ``SQLiteConnection``.
final class SQLiteStatement {
    private let handle: OpaquePointer
    private let connection: SQLiteConnection

    fileprivate init(_ handle: OpaquePointer, of connection: SQLiteConnection) {
        self.handle = handle
        self.connection = connection
    }

    deinit { sqlite3_finalize(handle) }

    /// Binds values to the parameters, in order.
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

    /// Moves to the next row and returns `false` if there is none.
    func next() throws(StoreError) -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let code: throw connection.error(sqlite3_stmt_readonly(handle) == 0 ? "write" : "read", code)
        }
    }

    /// Runs the statement with these values to its end, and discards any rows.
    func run(_ values: [SQLiteValue] = []) throws(StoreError) {
        defer { reset() }
        try bind(values)
        while try next() {}
    }

    /// Ends the query and clears the bound values.
    func reset() {
        sqlite3_reset(handle)
        sqlite3_clear_bindings(handle)
    }

    /// Returns the number of virtual machine instructions since the previous call: a cost that does not depend on a
    /// clock.
    func takeSteps() -> Int { Int(sqlite3_stmt_status(handle, SQLITE_STMTSTATUS_VM_STEP, 1)) }

    // MARK: Columns of the current row

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

/// The value of a statement's parameter.
enum SQLiteValue: Sendable, Hashable {
    case null
    case integer(Int64)
    case text(String)
    case bytes([UInt8])

    /// Returns an integer, or ``null`` for `nil`.
    static func optional(_ number: Int64?) -> SQLiteValue { number.map(SQLiteValue.integer) ?? .null }
}
