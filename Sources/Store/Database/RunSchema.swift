internal import RunModel

/// The tables of the database, and the migrations from every earlier version.
enum RunSchema {
    /// "SGLS" in ASCII: the number by which file(1) and other programs recognize a Sandglass database.
    static let applicationID: Int64 = 0x5347_4C53

    /// The first version with the column `command`.
    private static let versionWithCommands = 5

    /// The statements that upgrade each version to the next; the first creates the tables.
    ///
    /// A released migration never changes: `PRAGMA user_version` of a file counts the migrations that were applied to
    /// it.
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
        // Idempotency keys, and the digests by which identical runs are found.
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
        // The interleaving of the two output streams.
        "ALTER TABLE run ADD COLUMN output_order BLOB",
        // Blobs, the principals that uploaded them, and the runs that hold them.
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
        // The commands by which runs are found; `recordCommands` fills the column for the runs of earlier versions.
        "ALTER TABLE run ADD COLUMN command TEXT; CREATE INDEX run_command ON run (command, id)",
    ]

    /// Fills the column `command` of runs that an earlier version wrote.
    private static func recordCommands(_ connection: SQLiteConnection) throws(StoreError) {
        let select = try connection.prepare(
            "SELECT sequence, record FROM run WHERE sequence > ?1 ORDER BY sequence LIMIT 100"
        )
        let update = try connection.prepare("UPDATE run SET command = ?2 WHERE sequence = ?1")
        var last: Int64 = 0
        var rows: [(sequence: Int64, record: [UInt8])] = []
        repeat {
            rows = []
            try select.bind([.integer(last)])
            while try select.next() { rows.append((select.integer(0), select.bytes(1))) }
            select.reset()
            for row in rows {
                last = row.sequence
                guard let command = Run.command(ofRecord: row.record) else { continue }
                try update.run([.integer(last), .text(RunFilter.searchText(of: command))])
            }
        } while !rows.isEmpty
    }

    /// Creates the tables in a new file, or upgrades an older file to this version.
    ///
    /// - Throws: a ``StoreError`` if the file is damaged, belongs to another program or was written by a newer version.
    ///   The file is unchanged in these cases.
    static func migrate(_ connection: SQLiteConnection) throws(StoreError) {
        // These are the first reads of the file. Nothing has been written to it so far.
        let version = try connection.number("PRAGMA user_version")
        let applicationID = try connection.number("PRAGMA application_id")
        let tables = try connection.number("SELECT count(*) FROM sqlite_schema")
        let isNew = version == 0 && applicationID == 0 && tables == 0
        guard isNew || applicationID == Self.applicationID else {
            throw refusal(connection, "the file is another program's database; choose another data directory")
        }
        guard version <= migrations.count else {
            throw refusal(
                connection,
                "a newer version of sandglass wrote this database (schema version \(version); this program supports up "
                    + "to \(migrations.count)); use the newer version, or choose another data directory"
            )
        }
        if isNew {
            // SQLite accepts this only before the first table is created.
            try connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        }
        for next in Int(version)..<migrations.count {
            try connection.transaction { () throws(StoreError) in
                try connection.execute(migrations[next])
                if next + 1 == versionWithCommands { try recordCommands(connection) }
                try connection.execute("PRAGMA application_id = \(Self.applicationID)")
                try connection.execute("PRAGMA user_version = \(next + 1)")
            }
        }
    }

    private static func refusal(_ connection: SQLiteConnection, _ detail: String) -> StoreError {
        StoreError(operation: "open", path: connection.path, number: 0, detail: detail)
    }
}
