internal import Glibc
internal import Runs

/// The folder that holds what is too large for memory.
///
/// One service at a time uses it.
public final class DataDirectory {
    /// Its path.
    public let path: String
    private var lock: Int32
    private var output: Int32
    private var blobs: Int32
    private let isTemporary: Bool

    /// Where the output of runs is kept.
    ///
    /// By its descriptor (proc(5), `/proc/self/fd`): a service that has given up root may not pass through the folders above.
    var outputPath: String { "/proc/self/fd/\(output)" }

    /// The file for the output of one stream.
    func outputPath(of run: RunID, _ stream: OutputStream) -> String { "\(outputPath)/\(run).\(stream.rawValue)" }

    /// Where blobs are kept, by its descriptor too.
    var blobPath: String { "/proc/self/fd/\(blobs)" }

    /// The database.
    ///
    /// What is opened while the service may still pass through the folders above stays open.
    var databasePath: String { path + "/" + Self.database }
    /// The names of running runs.
    var runningPath: String { path + "/" + Self.running }

    private static let database = "sandglass.sqlite"
    private static let running = "running"
    /// Its lock.
    ///
    /// That of a folder which goes with its service has another name: whatever a folder of somebody's choice is called and
    /// wherever it is, it is not taken for one that a killed service has left.
    private static func lockPath(_ path: String, isTemporary: Bool) -> String {
        path + (isTemporary ? "/temporary" : "/lock")
    }

    /// All that a service makes beside the output and the lock.
    private static let files = [database, database + "-wal", database + "-shm", database + "-journal", running]

    /// Opens a folder, makes it if need be, and keeps other services out of it.
    ///
    /// - Parameter path: the folder; its parent must exist.
    /// - Throws: why it cannot be used, for example because another service uses it.
    public convenience init(path: String) throws(StoreError) {
        if mkdir(path, 0o700) < 0, errno != EEXIST { throw Self.error("mkdir", path) }
        try self.init(existing: path, isTemporary: false)
    }

    /// Makes a folder for this service alone, which is removed by ``close()``.
    ///
    /// - Parameters:
    ///   - parent: the folder for temporary files.
    ///   - user: who such folders of killed services may belong to, beside this process's user.
    /// - Throws: why it cannot be made.
    public convenience init(temporaryIn parent: String, orOwnedBy user: UInt32? = nil) throws(StoreError) {
        Self.removeAbandoned(in: parent, of: [geteuid()] + (user.map { [$0] } ?? []))
        var template = Array((parent + "/sandglass-XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else { throw Self.error("mkdtemp", parent) }
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

    /// Leaves the folder to the user that the service is going to be.
    ///
    /// - Throws: why it cannot be given away.
    public func give(to user: UInt32) throws(StoreError) {
        guard fchown(output, user, user) == 0 else { throw Self.error("chown", path + "/output") }
        guard fchown(blobs, user, user) == 0 else { throw Self.error("chown", path + "/blobs") }
        guard isTemporary else { return }
        guard lchown(path, user, user) == 0 else { throw Self.error("chown", path) }
    }

    private init(existing path: String, isTemporary: Bool) throws(StoreError) {
        self.path = path
        self.isTemporary = isTemporary
        (output, blobs) = (-1, -1)
        let lockPath = Self.lockPath(path, isTemporary: isTemporary)
        lock = open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard lock >= 0 else { throw Self.error("open", lockPath) }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            let busy = errno == EWOULDBLOCK
            let error =
                busy
                ? StoreError(
                    operation: "lock",
                    path: path,
                    number: EWOULDBLOCK,
                    detail: "another sandglass uses this data directory; stop it, or give this one another directory"
                ) : Self.error("lock", path)
            Glibc.close(lock)
            throw error
        }
        output = try Self.folder(path + "/output")
        blobs = try Self.folder(path + "/blobs")
    }

    /// Opens a folder, and makes it if need be.
    private static func folder(_ path: String) throws(StoreError) -> Int32 {
        if mkdir(path, 0o700) < 0, errno != EEXIST { throw Self.error("mkdir", path) }
        let folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
        guard folder >= 0 else { throw Self.error("open", path) }
        return folder
    }

    /// Releases the lock, and removes the folder if it was made for this service alone.
    public func close() {
        guard lock >= 0 else { return }
        if isTemporary {
            removeFiles(in: output)
            removeBlobs()
        }
        if output >= 0 { Glibc.close(output) }
        if blobs >= 0 { Glibc.close(blobs) }
        (output, blobs) = (-1, -1)
        // The lock of a folder that stays, stays: another service may have opened it already.
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

    private func removeFiles(in folder: Int32) {
        guard folder >= 0 else { return }
        // `.` and `..` are no files: nothing happens to them.
        for name in Self.names(in: "/proc/self/fd/\(folder)") { unlinkat(folder, name, 0) }
    }

    /// Removes what is in the folders of blobs, and them; root does not follow what a service that has ended may have put there.
    private func removeBlobs() {
        guard blobs >= 0 else { return }
        for name in Self.names(in: blobPath) where name != "." && name != ".." {
            let folder = openat(blobs, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
            guard folder >= 0 else { continue }
            removeFiles(in: folder)
            Glibc.close(folder)
            unlinkat(blobs, name, AT_REMOVEDIR)
        }
    }

    /// Removes the temporary folders of services that were killed: nobody holds their lock.
    ///
    /// Nobody else's folders: their owner could let a name lead elsewhere at any time.
    private static func removeAbandoned(in parent: String, of owners: [UInt32]) {
        for name in names(in: parent) where name.hasPrefix("sandglass-") {
            let path = parent + "/" + name
            var status = stat()
            guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { continue }
            guard owners.contains(status.st_uid) else { continue }
            let lock = open(lockPath(path, isTemporary: true), O_RDWR | O_CLOEXEC | O_NOFOLLOW)
            // One without a lock is being made, or is no such folder.
            guard lock >= 0 else { continue }
            guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
                Glibc.close(lock)
                continue
            }
            DataDirectory(path: path, lock: lock, isTemporary: true).close()
        }
    }

    static func names(in folder: String) -> [String] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            names.append(
                withUnsafePointer(to: &entry.pointee.d_name) { name in
                    // SAFETY: readdir(3) terminates d_name within its 256 bytes.
                    name.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
            )
        }
        return names
    }

    static func error(_ operation: String, _ path: String) -> StoreError {
        let number = errno
        return StoreError(operation: operation, path: path, number: number, detail: String(cString: strerror(number)))
    }
}
