// SQLite for Swift. Its destructor constants are casts, which Swift does not import.
#pragma once

#include <sqlite3.h>
#include <stddef.h>

// The bytes are copied before the call returns.
static inline int sandglass_sqlite_bind_bytes(sqlite3_stmt *statement, int index, const void *bytes, int count) {
    return sqlite3_bind_blob(statement, index, bytes, count, SQLITE_TRANSIENT);
}
static inline int sandglass_sqlite_bind_text(sqlite3_stmt *statement, int index, const char *text, int count) {
    return sqlite3_bind_text(statement, index, text, count, SQLITE_TRANSIENT);
}

// Keeps the write-ahead log when the database is closed, without a checkpoint (SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE).
static inline int sandglass_sqlite_disable_checkpoint_on_close(sqlite3 *database) {
    return sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
}
