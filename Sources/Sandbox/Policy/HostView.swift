internal import Glibc

/// The built-in file system: the programs of this host and the files that they need, and nothing that reveals more of
/// the host.
enum HostView {
    /// Directories of programs and libraries.
    ///
    /// On a merged-/usr system all but the first are symbolic links.
    private static let systemDirectories = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"]

    private static let maximumCopyBytes = 2 << 20

    private static let devices = ["/dev/full", "/dev/null", "/dev/random", "/dev/tty", "/dev/urandom", "/dev/zero"]

    /// Builds the view.
    ///
    /// - Parameters:
    ///   - user: the uid and gid that commands see.
    ///   - hostName: the host name that commands see.
    ///   - configuration: the operator's additions.
    /// - Returns: the entries, each after its parent directory.
    static func entries(
        user: UInt32,
        hostName: String,
        configuration: SandboxConfiguration = SandboxConfiguration()
    ) -> [SandboxEntry] {
        let exposed = configuration.exposed
        let builtIn = configurationEntries(user: user, hostName: hostName).filter { entry in
            // What the operator exposes replaces what the view has there.
            !exposed.contains { (entry.path + "/").hasPrefix($0.path + "/") }
        }
        return withParents(
            systemEntries() + builtIn + (configuration.allowsHostNetwork ? nameServerEntries() : []) + deviceEntries()
                + kernelEntries() + runEntries()
                + exposed.flatMap(\.entries)
        )
    }

    /// Returns the resolver's configuration, which a command with a network needs to look up names.
    private static func nameServerEntries() -> [SandboxEntry] {
        let path = "/etc/resolv.conf"
        return HostFile.contents(of: path, atMost: maximumCopyBytes).map { [.file(path, contents: $0)] } ?? []
    }

    private static func systemEntries() -> [SandboxEntry] {
        systemDirectories.compactMap { path in
            switch HostFile.kind(of: path) {
            case .directory: .bind(host: path, at: path)
            case .symbolicLink(let target): .symbolicLink(path, to: target)
            case .file, .other, nil: nil
            }
        }
    }

    private static func configurationEntries(user: UInt32, hostName: String) -> [SandboxEntry] {
        let entries = [
            ("/etc/group", "root:x:0:\nbox:x:\(user):\nnogroup:x:65534:\n"),
            ("/etc/hostname", "\(hostName)\n"),
            ("/etc/hosts", "127.0.0.1 localhost \(hostName)\n::1 localhost\n"),
            (
                "/etc/nsswitch.conf",
                "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n"
            ),
            (
                "/etc/passwd",
                """
                root:x:0:0:root:/:/usr/sbin/nologin
                box:x:\(user):\(user):box:/box:/bin/sh
                nobody:x:65534:65534:nobody:/:/usr/sbin/nologin

                """
            ),
        ].map { SandboxEntry.file($0.0, contents: Array($0.1.utf8)) }
        return entries + PackageFiles.existing().flatMap(PackageFiles.entries)
    }

    /// Returns `/dev` and its entries, which images have too.
    static func deviceEntries() -> [SandboxEntry] {
        [.deviceDirectory("/dev"), .directory("/dev/shm"), .directory("/dev/mqueue"), .directory("/dev/pts")]
            + devices.filter { HostFile.kind(of: $0) != nil }.map { .device($0) }
            + [
                .symbolicLink("/dev/ptmx", to: "pts/ptmx"), .symbolicLink("/dev/fd", to: "/proc/self/fd"),
                .symbolicLink("/dev/stdin", to: "/proc/self/fd/0"),
                .symbolicLink("/dev/stdout", to: "/proc/self/fd/1"),
                .symbolicLink("/dev/stderr", to: "/proc/self/fd/2"),
            ]
    }

    /// Returns `/sys` and the parts of it that programs read, which images have too: the processors, the memory nodes, and
    /// the kernel's setting for huge pages.
    static func kernelEntries() -> [SandboxEntry] {
        let parents = [
            "/sys", "/sys/devices", "/sys/devices/system", "/sys/fs", CgroupView.directory, "/sys/kernel",
            "/sys/kernel/mm",
        ]
        let shown = ["/sys/devices/system/cpu", "/sys/devices/system/node", "/sys/kernel/mm/transparent_hugepage"]
        return parents.map { .directory($0) }
            + shown.filter { access($0, R_OK | X_OK) == 0 }.map { .bind(host: $0, at: $0) }
    }

    /// Returns the mount points of each run, and directories that programs expect.
    private static func runEntries() -> [SandboxEntry] {
        [
            .directory("/proc"), .directory("/tmp"), .directory("/box"), .directory("/run"), .directory("/var"),
            .directory("/var/lib"),
            .symbolicLink("/var/run", to: "/run"), .symbolicLink("/var/tmp", to: "/tmp"),
        ]
    }

    /// Returns the entries with every missing parent directory inserted before its first child.
    private static func withParents(_ entries: [SandboxEntry]) -> [SandboxEntry] {
        var paths: Set<String> = []
        var result: [SandboxEntry] = []
        for entry in entries {
            // Bytes, because finding characters takes several times as long, and there are a thousand entries.
            let path = entry.path
            for index in path.utf8.indices.dropFirst() where path.utf8[index] == UInt8(ascii: "/") {
                let parent = String(path[..<index])
                if paths.insert(parent).inserted { result.append(.directory(parent)) }
            }
            // A parent that was added may have an entry of its own.
            if paths.insert(entry.path).inserted { result.append(entry) }
        }
        return result
    }
}

/// A copy of a small directory of the host, made when the service starts.
///
/// The copy leaves out secrets, entries that not every user may read, and all but directories, files and symbolic links.
struct DirectoryCopy {
    /// The maximum number of directories, files and links together.
    private static let maximumEntries = 2000
    /// The maximum size of all files together, in bytes.
    private static let maximumBytes = 2 << 20

    /// The directory and everything in it, parents first.
    private(set) var entries: [SandboxEntry] = []
    private var bytes = 0
    /// False if no secret has a path inside the directory, so that only names have to be checked.
    private let checksPaths: Bool

    /// Copies a directory, or returns `nil` if it exceeds a maximum or cannot be read in full.
    ///
    /// - Parameters:
    ///   - host: the path of the directory on the host.
    ///   - path: its path inside the sandbox.
    init?(of host: String, at path: String) {
        checksPaths = HostSecrets.names(somethingIn: host)
        guard add(host, at: path) else { return nil }
    }

    private mutating func add(_ host: String, at path: String) -> Bool {
        var status = stat()
        guard entries.count < Self.maximumEntries, lstat(host, &status) == 0 else { return false }
        let slash = host.utf8.lastIndex(of: UInt8(ascii: "/")) ?? host.startIndex
        if HostSecrets.reason(toHideName: String(host[slash...].utf8.dropFirst()) ?? "") != nil { return true }
        if checksPaths, HostSecrets.reason(toHide: host) != nil { return true }
        switch HostFile.kind(of: host) {
        case .symbolicLink(let target):
            entries.append(.symbolicLink(path, to: target))
        case .directory:
            guard status.st_mode & 0o5 == 0o5 else { return true }
            entries.append(.directory(path))
            return HostFile.names(in: host).allSatisfy {
                add(host + "/" + $0, at: path + "/" + $0)
            }
        case .file:
            guard status.st_mode & 0o4 != 0 else { return true }
            guard let contents = HostFile.contents(of: host, atMost: Self.maximumBytes - bytes) else { return false }
            if HostSecrets.isPrivateKey(contents) { return true }
            bytes += contents.count
            entries.append(.file(path, contents: contents, isExecutable: status.st_mode & 0o1 != 0))
        case .other, nil: break
        }
        return true
    }
}
