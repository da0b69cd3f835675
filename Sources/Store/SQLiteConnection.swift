internal import CSQLite
internal import Glibc

/// A database file, open in one thread.
///
/// Source: <https://sqlite.org/cintro.html>.
final class SQLiteConnection {
    private let handle: OpaquePointer
    /// The file.
    let path: String

    /// Opens a file, and makes it if need be.
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
        sandglass_sqlite_leave_log(handle)
    }

    deinit { sqlite3_close_v2(handle) }

    /// Runs statements that have no parameters and whose rows are of no interest.
    func execute(_ sql: String) throws(StoreError) {
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw error("write", code) }
    }

    /// Compiles a statement, to be used again and again.
    func prepare(_ sql: String) throws(StoreError) -> SQLiteStatement {
        var statement: OpaquePointer?
        let code = sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil)
        guard code == SQLITE_OK, let statement else { throw error("read", code) }
        return SQLiteStatement(statement, of: self)
    }

    /// The one number that a statement gives.
    func number(_ sql: String) throws(StoreError) -> Int64 {
        let statement = try prepare(sql)
        defer { statement.reset() }
        return try statement.next() ? statement.integer(0) : 0
    }

    /// How many rows the last statement has written or removed.
    var changes: Int { Int(sqlite3_changes(handle)) }

    /// Does all of it or nothing.
    func transaction(_ body: () throws(StoreError) -> Void) throws(StoreError) {
        try execute("BEGIN IMMEDIATE")
        do throws(StoreError) {
            try body()
            try execute("COMMIT")
        } catch {
            // Some failures have ended it already (sqlite3_get_autocommit).
            if sqlite3_get_autocommit(handle) == 0 { try? execute("ROLLBACK") }
            throw error
        }
    }

    func error(_ operation: String, _ code: Int32) -> StoreError { Self.error(operation, path, handle, code) }

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
            case SQLITE_FULL: (ENOSPC, "")
            case SQLITE_CORRUPT, SQLITE_NOTADB:
                (
                    EUCLEAN,
                    "; nothing was changed. Restore it from a copy, or move it away together with the files beside it, "
                        + "and start with an empty one"
                )
            case SQLITE_IOERR, SQLITE_CANTOPEN: (system == 0 ? EIO : system, "")
            case SQLITE_NOMEM: (ENOMEM, "")
            case SQLITE_BUSY, SQLITE_LOCKED: (EBUSY, "; another program has the file open")
            case SQLITE_READONLY: (EROFS, "")
            default: (EIO, "")
            }
        return StoreError(operation: operation, path: path, number: number, detail: text + advice)
    }
}
