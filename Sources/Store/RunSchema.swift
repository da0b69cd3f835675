/// The tables, and how a file of an earlier version gets those of this one.
enum RunSchema {
    /// "SGLS": by this number file(1) and a mistaken program know whose file it is.
    static let application: Int64 = 0x5347_4C53

    /// What makes each version out of the one before; the first makes the tables.
    ///
    /// Never changed once released: a file says how many of them it has seen (`PRAGMA user_version`).
    static let migrations = [
        """
        CREATE TABLE run (
            sequence INTEGER PRIMARY KEY,
            id BLOB NOT NULL UNIQUE,
            principal TEXT NOT NULL,
            state INTEGER NOT NULL,
            outcome TEXT,
            finished INTEGER,
            bytes INTEGER NOT NULL,
            record BLOB NOT NULL,
            request BLOB
        ) STRICT;
        CREATE INDEX run_unfinished ON run (id) WHERE state < 2;
        CREATE INDEX run_principal ON run (principal, id);
        CREATE INDEX run_outcome ON run (outcome, id) WHERE outcome IS NOT NULL;
        CREATE TABLE label (
            key TEXT NOT NULL,
            value TEXT NOT NULL,
            id BLOB NOT NULL,
            PRIMARY KEY (key, value, id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX label_run ON label (id);
        CREATE TABLE total (one INTEGER PRIMARY KEY CHECK (one = 1), runs INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT;
        INSERT INTO total VALUES (1, 0, 0);
        """,
        // Keys of clients, and what the very same run is found by.
        """
        CREATE TABLE idempotency (
            principal TEXT NOT NULL,
            key TEXT NOT NULL,
            digest BLOB NOT NULL,
            run BLOB NOT NULL,
            created INTEGER NOT NULL,
            cached INTEGER NOT NULL,
            PRIMARY KEY (principal, key)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX idempotency_created ON idempotency (created);
        ALTER TABLE run ADD COLUMN digest BLOB;
        CREATE INDEX run_digest ON run (digest) WHERE outcome = 'exited';
        """,
        // In which order both streams were written.
        "ALTER TABLE run ADD COLUMN output_order BLOB",
        // Blobs, who has uploaded them, and which runs hold them.
        """
        CREATE TABLE blob (digest BLOB PRIMARY KEY, bytes INTEGER NOT NULL, used INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE blob_owner (
            digest BLOB NOT NULL,
            principal TEXT NOT NULL,
            PRIMARY KEY (digest, principal)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE blob_use (
            run BLOB NOT NULL,
            digest BLOB NOT NULL,
            principal TEXT NOT NULL,
            PRIMARY KEY (run, digest)
        ) STRICT, WITHOUT ROWID;
        """,
    ]

    /// Brings an open file to this version, and a new one too.
    static func prepare(_ connection: SQLiteConnection) throws(StoreError) {
        // The first reading: whatever the file is, it has not been written to.
        let version = try connection.number("PRAGMA user_version")
        let application = try connection.number("PRAGMA application_id")
        let tables = try connection.number("SELECT count(*) FROM sqlite_schema")
        let isNew = version == 0 && application == 0 && tables == 0
        guard isNew || application == Self.application else {
            throw refusal(connection, "it is another program's database; give this one another data directory")
        }
        guard version <= migrations.count else {
            throw refusal(
                connection,
                "it was written by a younger sandglass (version \(version) of its tables; this one knows "
                    + "\(migrations.count)); use that one, or another data directory"
            )
        }
        if isNew {
            // Before the first table, or not at all.
            try connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        }
        for next in Int(version)..<migrations.count {
            try connection.transaction { () throws(StoreError) in
                try connection.execute(migrations[next])
                try connection.execute("PRAGMA application_id = \(Self.application)")
                try connection.execute("PRAGMA user_version = \(next + 1)")
            }
        }
    }

    private static func refusal(_ connection: SQLiteConnection, _ detail: String) -> StoreError {
        StoreError(operation: "open", path: connection.path, number: 0, detail: detail)
    }
}
