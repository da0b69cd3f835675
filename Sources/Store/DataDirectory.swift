internal import Glibc
internal import RunModel
internal import System

/// The directory with the database, the output files and the blobs of a server.
///
/// A lock file keeps a second server out of it.
package final class DataDirectory {
    /// The path of the directory.
    package let path: String
    private var lock: Int32
    private var output: Int32
    private var blobs: Int32
    private let isTemporary: Bool

    private static let database = "sandglass.sqlite"
    private static let startJournal = "running"
    /// The files of the store, apart from output, blobs and the lock.
    private static let files = [database, database + "-wal", database + "-shm", database + "-journal", startJournal]

    // MARK: Paths

    /// The path of the output directory, through its descriptor.
    ///
    /// After the server has given up root, it may no longer have access to the parent directories. `/proc/self/fd`
    /// (proc(5)) works nevertheless.
    var outputPath: String { "/proc/self/fd/\(output)" }

    /// Returns the path of the output file of one stream.
    func outputPath(of run: RunID, _ stream: OutputStream) -> String { "\(outputPath)/\(run).\(stream.rawValue)" }

    /// The path of the blob directory, through its descriptor.
    var blobPath: String { "/proc/self/fd/\(blobs)" }

    /// The path of the database file.
    ///
    /// The server opens the database while it has access to the parent directories, and keeps it open.
    var databasePath: String { path + "/" + Self.database }
    /// The path of the ``StartJournal``.
    var startJournalPath: String { path + "/" + Self.startJournal }

    /// Returns the path of the lock file.
    ///
    /// The lock file of a temporary directory has another name. A directory that the operator chose is therefore never
    /// taken for an abandoned temporary one, whatever its name and parent are.
    private static func lockPath(_ path: String, isTemporary: Bool) -> String {
        path + (isTemporary ? "/temporary" : "/lock")
    }

    // MARK: Opening

    /// Opens and locks a directory, and creates it if it does not exist.
    ///
    /// - Parameter path: the directory; its parent must exist.
    /// - Throws: a ``StoreError``, for example if another server uses the directory.
    package convenience init(path: String) throws(StoreError) {
        if mkdir(path, 0o700) < 0, errno != EEXIST { throw StoreError.system("mkdir", path) }
        try self.init(existing: path, isTemporary: false)
    }

    /// Creates a directory that ``close()`` removes, and removes abandoned ones.
    ///
    /// - Parameters:
    ///   - parent: the directory of temporary files.
    ///   - user: another user, besides that of this process, whose abandoned directories are removed.
    /// - Throws: a ``StoreError`` if the directory cannot be created.
    package convenience init(temporaryIn parent: String, orOwnedBy user: UInt32? = nil) throws(StoreError) {
        Self.removeAbandoned(in: parent, of: [geteuid()] + (user.map { [$0] } ?? []))
        var template = Array((parent + "/sandglass-XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else { throw StoreError.system("mkdtemp", parent) }
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        try self.init(existing: path, isTemporary: true)
    }

    private init(path: String, lock: Int32, isTemporary: Bool) {
        self.path = path
        self.lock = lock
        self.isTemporary = isTemporary
        output = open(path + "/output", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
        blobs = open(path + "/blobs", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
    }

    private init(existing path: String, isTemporary: Bool) throws(StoreError) {
        self.path = path
        self.isTemporary = isTemporary
        (output, blobs) = (-1, -1)
        let lockPath = Self.lockPath(path, isTemporary: isTemporary)
        lock = open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard lock >= 0 else { throw StoreError.system("open", lockPath) }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            let error =
                errno == EWOULDBLOCK
                ? StoreError(
                    operation: "lock",
                    path: path,
                    number: EWOULDBLOCK,
                    detail: "another sandglass uses this data directory; stop that process, or choose another directory"
                ) : StoreError.system("lock", path)
            Glibc.close(lock)
            throw error
        }
        output = try Self.openDirectory(path + "/output")
        blobs = try Self.openDirectory(path + "/blobs")
    }

    /// Opens a directory, and creates it if it does not exist.
    private static func openDirectory(_ path: String) throws(StoreError) -> Int32 {
        if mkdir(path, 0o700) < 0, errno != EEXIST { throw StoreError.system("mkdir", path) }
        let directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
        guard directory >= 0 else { throw StoreError.system("open", path) }
        return directory
    }

    /// Changes the owner of the directory to the user that the server will run as.
    ///
    /// - Throws: a ``StoreError`` if the owner cannot be changed.
    package func give(to user: UInt32) throws(StoreError) {
        guard fchown(output, user, user) == 0 else { throw StoreError.system("chown", path + "/output") }
        guard fchown(blobs, user, user) == 0 else { throw StoreError.system("chown", path + "/blobs") }
        guard isTemporary else { return }
        guard lchown(path, user, user) == 0 else { throw StoreError.system("chown", path) }
    }

    // MARK: Closing

    /// Releases the lock, and removes a temporary directory.
    package func close() {
        guard lock >= 0 else { return }
        if isTemporary {
            removeFiles(in: output)
            removeBlobs()
        }
        if output >= 0 { Glibc.close(output) }
        if blobs >= 0 { Glibc.close(blobs) }
        (output, blobs) = (-1, -1)
        // The lock file of a permanent directory stays, because another server may have opened it already.
        if isTemporary {
            rmdir(path + "/output")
            rmdir(path + "/blobs")
            for name in Self.files { unlink(path + "/" + name) }
            unlink(Self.lockPath(path, isTemporary: true))
            rmdir(path)
        }
        Glibc.close(lock)
        lock = -1
    }

    private func removeFiles(in directory: Int32) {
        guard directory >= 0 else { return }
        // unlinkat(2) fails for `.` and `..` without any effect.
        for name in DirectoryEntry.names(at: "/proc/self/fd/\(directory)") { unlinkat(directory, name, 0) }
    }

    /// Removes the blob files and their directories.
    ///
    /// A root process does not follow symbolic links here: an unprivileged process may have created them.
    private func removeBlobs() {
        guard blobs >= 0 else { return }
        for name in DirectoryEntry.names(at: blobPath) {
            let directory = openat(blobs, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
            guard directory >= 0 else { continue }
            removeFiles(in: directory)
            Glibc.close(directory)
            unlinkat(blobs, name, AT_REMOVEDIR)
        }
    }

    /// Removes the temporary directories of servers that were killed: no process holds their locks.
    ///
    /// Directories of other users stay, because their owners could redirect a name to another directory at any time.
    private static func removeAbandoned(in parent: String, of owners: [UInt32]) {
        for name in DirectoryEntry.names(at: parent) where name.hasPrefix("sandglass-") {
            let path = parent + "/" + name
            var status = stat()
            guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { continue }
            guard owners.contains(status.st_uid) else { continue }
            let lock = open(lockPath(path, isTemporary: true), O_RDWR | O_CLOEXEC | O_NOFOLLOW)
            // A directory without a lock file is either being created by a server at this moment or not a temporary
            // directory of Sandglass.
            guard lock >= 0 else { continue }
            guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
                Glibc.close(lock)
                continue
            }
            DataDirectory(path: path, lock: lock, isTemporary: true).close()
        }
    }
}

/// The check for free space on a file system.
enum FreeSpace {
    /// The space that one or two runs need with the default limits.
    static let requiredBytes: UInt64 = 4 << 20

    /// Checks that an unprivileged user has enough free space (statvfs(3)).
    ///
    /// A file system that does not know its own size passes.
    ///
    /// - Throws: a ``StoreError`` with ENOSPC if there is too little space.
    static func check(_ path: String) throws(StoreError) {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { throw StoreError.system("statvfs", path) }
        let free = UInt64(status.f_bavail) * UInt64(status.f_frsize)
        guard status.f_blocks > 0, free < requiredBytes else { return }
        throw StoreError(
            operation: "statvfs",
            path: path,
            number: ENOSPC,
            detail:
                "only \(free, counting: "byte") of this file system can be used, but runs need \(requiredBytes); free some space"
        )
    }
}
