internal import Glibc

/// Folders of this service's own in the host's cgroup hierarchies, in which the launcher makes a group for each slot.
///
/// Each is locked (flock(2)) while its launcher lives: one that is not is left from a service that was killed.
struct CgroupTree: Sendable {
    /// What all such folders' names start with.
    static let prefix = "sandglass-"
    /// How long processes that were killed may take to leave their groups.
    private static let patienceMilliseconds = 2000

    let version: CgroupVersion
    /// The name of each folder.
    let name: String
    /// Where they stand.
    private(set) var folders: [(path: String, descriptor: Int32)] = []
    private var places: [CgroupSupport.Controller: Int] = [:]
    /// Version 2: the group that this process came from, if it had to move into the tree to make room.
    var origin: String?

    init(version: CgroupVersion, name: String) {
        self.version = version
        self.name = name
    }

    var controllers: Set<CgroupSupport.Controller> { Set(places.keys) }

    func descriptor(_ controller: CgroupSupport.Controller) -> Int32? {
        places[controller].map { folders[$0].descriptor }
    }

    /// Makes and locks the folder in a place, unless it is there already, and uses it for these controllers.
    ///
    /// - Returns: whether it could be made.
    mutating func add(_ controllers: [CgroupSupport.Controller], in place: String) -> Bool {
        let path = place + "/" + name
        if let known = folders.firstIndex(where: { $0.path == path }) {
            for controller in controllers { places[controller] = known }
            return true
        }
        guard mkdir(path, 0o755) == 0 else { return false }
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        var status = stat()
        // Another service that starts right now may have taken it for abandoned before it was locked.
        guard descriptor >= 0, flock(descriptor, LOCK_EX | LOCK_NB) == 0, lstat(path, &status) == 0 else {
            let error = errno
            if descriptor >= 0 { Glibc.close(descriptor) }
            rmdir(path)
            errno = error
            return false
        }
        folders.append((path, descriptor))
        for controller in controllers { places[controller] = folders.count - 1 }
        return true
    }

    /// Closes this process's descriptors.
    func close() {
        for folder in folders { Glibc.close(folder.descriptor) }
    }

    /// Removes whatever the launcher has not removed itself, because it was killed.
    func remove() {
        if let origin { leave(to: origin) }
        for folder in folders { Self.remove(folder.path, patience: Self.patienceMilliseconds) }
    }

    /// Gives the place back from which this process made room for groups.
    private func leave(to origin: String) {
        for folder in folders { for group in Self.groups(in: folder.path) { rmdir(group) } }
        // From below: what a group passes on, the one above it cannot take back.
        for group in folders.map(\.path) + [origin] {
            for name in ["pids", "memory"] { _ = Self.write("-" + name, to: group + "/cgroup.subtree_control") }
        }
        _ = Self.write("0", to: origin + "/cgroup.procs")
    }

    /// Removes what services have left in a place that were killed together with their launchers.
    static func removeAbandoned(in place: String) {
        for name in HostFile.names(in: place) where name.hasPrefix(prefix) {
            let path = place + "/" + name
            let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
            guard descriptor >= 0 else { continue }
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { remove(path, patience: 500) }
            Glibc.close(descriptor)
        }
    }

    /// Version 1 tells nobody when a group has become empty: it is tried again for so many milliseconds.
    private static func remove(_ path: String, patience: Int) {
        for _ in 0..<max(patience / 5, 1) {
            for group in groups(in: path) { rmdir(group) }
            if rmdir(path) == 0 || errno == ENOENT { return }
            usleep(5000)
        }
    }

    private static func groups(in path: String) -> [String] {
        HostFile.names(in: path).filter { $0.hasPrefix("slot-") || $0 == "service" }.map { path + "/" + $0 }
    }

    /// Writes a text to a file of a group.
    static func write(_ text: String, to path: String) -> Bool {
        let file = open(path, O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { return false }
        defer { Glibc.close(file) }
        return text.withCString { Glibc.write(file, $0, strlen($0)) } >= 0
    }
}
