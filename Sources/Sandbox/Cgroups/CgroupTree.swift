internal import Glibc

/// A hierarchy in which a run sees its own group, read-only.
struct CgroupView: Sendable, Hashable {
    /// The directory in which each run finds its groups.
    static let directory = "/sys/fs/cgroup"

    /// The first controller of the hierarchy.
    let controller: CgroupSupport.Controller
    /// The names of the hierarchy's controllers; empty for version 2.
    let names: [String]

    /// The path of the group inside the sandbox.
    var path: String { names.isEmpty ? Self.directory : Self.directory + "/" + names.joined(separator: ",") }

    /// The entries that the view needs in the file system of commands.
    ///
    /// Programs look for each controller of version 1 by its own name.
    var entries: [SandboxEntry] {
        guard !names.isEmpty else { return [] }
        let links = names.count < 2 ? [] : names
        return [.directory(path)]
            + links.map { .symbolicLink(Self.directory + "/" + $0, to: names.joined(separator: ",")) }
    }
}

/// The service's own directories in the host's cgroup hierarchies, in which the launcher creates a group for each slot.
///
/// A directory is locked (flock(2)) while its launcher lives. A directory without a lock was left by a service that was
/// killed.
struct CgroupTree: Sendable {
    /// The prefix of the directories' names.
    static let prefix = "sandglass-"
    /// The time that killed processes may take to leave their groups, in milliseconds.
    private static let exitTimeoutMilliseconds = 2000
    /// The timeout for the groups of a service that was killed, whose processes have usually exited long ago.
    private static let abandonedTimeoutMilliseconds = 500

    /// The number of times that a directory is created when other starting services remove it.
    private static let maximumCreations = 100

    let version: CgroupVersion
    /// The name of each directory.
    let name: String
    /// The directories, each with an open and locked descriptor.
    private(set) var directories: [(path: String, descriptor: Int32)] = []
    private var directoryIndexes: [CgroupSupport.Controller: Int] = [:]
    /// The hierarchies in which a run may see its own group.
    private(set) var views: [CgroupView] = []
    /// The group that this process moved from into the tree, if it had to (version 2).
    var origin: String?

    init(version: CgroupVersion, name: String) {
        self.version = version
        self.name = name
    }

    var controllers: Set<CgroupSupport.Controller> { Set(directoryIndexes.keys) }

    func descriptor(_ controller: CgroupSupport.Controller) -> Int32? {
        directoryIndexes[controller].map { directories[$0].descriptor }
    }

    /// Creates and locks the directory in a group, unless the tree has it already, and uses it for some controllers.
    ///
    /// - Parameters:
    ///   - controllers: the controllers to use.
    ///   - names: the controllers of the group's hierarchy; empty for version 2.
    ///   - parent: the path of the group.
    /// - Returns: whether the directory could be created; if not, `errno` is set.
    mutating func add(
        _ controllers: [CgroupSupport.Controller],
        named names: Set<String>,
        in parent: String
    ) -> Bool {
        let path = parent + "/" + name
        if let known = directories.firstIndex(where: { $0.path == path }) {
            for controller in controllers { directoryIndexes[controller] = known }
            return true
        }
        guard let descriptor = Self.makeLockedDirectory(path) else { return false }
        directories.append((path, descriptor))
        for controller in controllers { directoryIndexes[controller] = directories.count - 1 }
        if names.contains("cpuset") { Self.copyProcessors(of: parent, to: path) }
        views.append(CgroupView(controller: controllers[0], names: names.sorted()))
        return true
    }

    /// Gives a group and its future children the processors of its parent, because a version 1 group begins without any.
    private static func copyProcessors(of parent: String, to path: String) {
        for name in ["cpuset.cpus", "cpuset.mems"] {
            guard let text = HostFile.contents(of: parent + "/" + name, atMost: 64 << 10) else { continue }
            _ = write(String(decoding: text, as: UTF8.self), to: path + "/" + name)
        }
        _ = write("1", to: path + "/cgroup.clone_children")
    }

    /// Creates and locks a directory and returns its descriptor, or `nil` with `errno` set.
    ///
    /// Another service that is starting may remove the directory as abandoned before it is locked. This function then waits
    /// for that service's lock, so that the removal is over, and creates the directory again.
    private static func makeLockedDirectory(_ path: String) -> Int32? {
        for _ in 0..<maximumCreations {
            guard mkdir(path, 0o755) == 0 else { return nil }
            let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            if descriptor >= 0, flock(descriptor, LOCK_EX) == 0, isOpen(path, descriptor) { return descriptor }
            let error = errno
            if descriptor >= 0 { Glibc.close(descriptor) }
            guard error == ENOENT else {
                rmdir(path)
                errno = error
                return nil
            }
        }
        errno = ENOENT
        return nil
    }

    /// Returns whether a descriptor refers to the directory that has this path now; if not, `errno` is set.
    private static func isOpen(_ path: String, _ descriptor: Int32) -> Bool {
        var (opened, current) = (stat(), stat())
        guard fstat(descriptor, &opened) == 0, lstat(path, &current) == 0 else { return false }
        errno = ENOENT
        return opened.st_ino == current.st_ino && opened.st_dev == current.st_dev
    }

    /// Closes this process's descriptors.
    func close() {
        for directory in directories { Glibc.close(directory.descriptor) }
    }

    /// Removes the directories, with the groups that a killed launcher has left in them.
    func remove() {
        if let origin { moveBack(to: origin) }
        for directory in directories { Self.remove(directory.path, timeoutMilliseconds: Self.exitTimeoutMilliseconds) }
    }

    /// Moves this process back into the group that it came from, and revokes the delegated controllers.
    private func moveBack(to origin: String) {
        for directory in directories { for group in Self.groups(in: directory.path) { rmdir(group) } }
        // The lower group first: a group cannot revoke a controller that its child delegates further.
        for group in directories.map(\.path) + [origin] {
            for name in ["cpu", "pids", "memory"] { _ = Self.write("-" + name, to: group + "/cgroup.subtree_control") }
        }
        _ = Self.write("0", to: origin + "/cgroup.procs")
    }

    /// Removes the directories in a group that were left by services that were killed together with their launchers.
    static func removeAbandoned(in parent: String) {
        for name in HostFile.names(in: parent) where name.hasPrefix(prefix) {
            let path = parent + "/" + name
            let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
            guard descriptor >= 0 else { continue }
            // Its service may have created the directory again since it was opened.
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0, isOpen(path, descriptor) {
                remove(path, timeoutMilliseconds: abandonedTimeoutMilliseconds)
            }
            Glibc.close(descriptor)
        }
    }

    /// Removes a directory and its groups.
    ///
    /// Version 1 does not report when a group has become empty. So the removal is tried every 5 ms until the timeout.
    private static func remove(_ path: String, timeoutMilliseconds: Int) {
        for _ in 0..<max(timeoutMilliseconds / 5, 1) {
            for group in groups(in: path) { rmdir(group) }
            if rmdir(path) == 0 || errno == ENOENT { return }
            usleep(5000)
        }
    }

    private static func groups(in path: String) -> [String] {
        HostFile.names(in: path).filter { $0.hasPrefix("slot-") || ["service", "runs"].contains($0) }
            .map { path + "/" + $0 }
    }

    /// Writes a text to a file of a group and returns whether the kernel accepted it.
    static func write(_ text: String, to path: String) -> Bool {
        let file = open(path, O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { return false }
        defer { Glibc.close(file) }
        return text.withCString { Glibc.write(file, $0, strlen($0)) } >= 0
    }
}
