/// The built-in file system: what programs of this host need to run, and nothing that tells them about it.
enum HostView {
    /// Folders of programs and libraries.
    ///
    /// On a merged-/usr system all but the first are symbolic links.
    private static let systemFolders = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"]

    /// Folders of /etc that hold no secrets and that programs read.
    private static let configurationFolders = [
        "/etc/alternatives", "/etc/fonts", "/etc/perl", "/etc/pki/ca-trust", "/etc/pki/tls/certs", "/etc/ssl/certs",
    ]
    private static let configurationFolderPrefixes = ["java-", "python3"]

    /// Files of /etc that are shown as they are when the service starts.
    ///
    /// Copies: a bound file would keep showing the old one once a package manager has replaced it.
    private static let configurationFiles = [
        "/etc/bash.bashrc", "/etc/debian_version", "/etc/gai.conf", "/etc/host.conf", "/etc/inputrc",
        "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/locale.alias", "/etc/localtime", "/etc/lsb-release",
        "/etc/magic", "/etc/mime.types", "/etc/os-release", "/etc/protocols", "/etc/rpc", "/etc/services",
        "/etc/shells", "/etc/ssl/openssl.cnf", "/etc/timezone",
    ]
    private static let largestCopy = 2 << 20

    private static let devices = ["/dev/full", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero"]

    static func entries(
        user: UInt32,
        hostName: String,
        configuration: SandboxConfiguration = SandboxConfiguration()
    ) -> [SandboxEntry] {
        withParents(
            systemEntries() + configurationEntries(user: user, hostName: hostName)
                + (configuration.allowsHostNetwork ? nameServerEntries() : []) + deviceEntries() + runEntries()
                + configuration.exposed.map(\.entry)
        )
    }

    /// Who has a network looks names up in it.
    private static func nameServerEntries() -> [SandboxEntry] {
        let path = "/etc/resolv.conf"
        return HostFile.contents(of: path, atMost: largestCopy).map { [.file(path, contents: $0)] } ?? []
    }

    private static func systemEntries() -> [SandboxEntry] {
        systemFolders.compactMap { path in
            switch HostFile.kind(of: path) {
            case .directory: .bind(host: path, at: path)
            case .symbolicLink(let target): .symbolicLink(path, to: target)
            case .file, .other, nil: nil
            }
        }
    }

    private static func configurationEntries(user: UInt32, hostName: String) -> [SandboxEntry] {
        var own = [
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
        own += configurationFiles.compactMap { path in
            HostFile.contents(of: path, atMost: largestCopy).map { .file(path, contents: $0) }
        }
        let prefixed = HostFile.names(in: "/etc").filter { name in
            configurationFolderPrefixes.contains { name.hasPrefix($0) }
        }
        own += (configurationFolders + prefixed.map { "/etc/" + $0 }).compactMap { path -> (String, String)? in
            // A canonical path: links are not followed while the new root is being built.
            HostFile.canonicalPath(of: path).flatMap { host in
                if case .directory = HostFile.kind(of: host) { (host, path) } else { nil }
            }
        }.flatMap { host, path in
            // A mount costs every run microseconds, a copy the service's start less than one for each file.
            FolderCopy(of: host, at: path)?.entries ?? [.bind(host: host, at: path)]
        }
        return own
    }

    static func deviceEntries() -> [SandboxEntry] {
        [.deviceFolder("/dev"), .directory("/dev/shm"), .directory("/dev/mqueue")]
            + devices.filter { HostFile.kind(of: $0) != nil }.map { .device($0) }
            + [
                .symbolicLink("/dev/fd", to: "/proc/self/fd"),
                .symbolicLink("/dev/stdin", to: "/proc/self/fd/0"),
                .symbolicLink("/dev/stdout", to: "/proc/self/fd/1"),
                .symbolicLink("/dev/stderr", to: "/proc/self/fd/2"),
            ]
    }

    /// What is mounted for each run, and folders that programs expect.
    private static func runEntries() -> [SandboxEntry] {
        [
            .directory("/proc"), .directory("/tmp"), .directory("/box"), .directory("/run"), .directory("/var"),
            .symbolicLink("/var/run", to: "/run"), .symbolicLink("/var/tmp", to: "/tmp"),
        ]
    }

    /// The entries, each folder above them first.
    private static func withParents(_ entries: [SandboxEntry]) -> [SandboxEntry] {
        var made: Set<String> = []
        var result: [SandboxEntry] = []
        for entry in entries {
            var parent = ""
            for component in entry.path.split(separator: "/").dropLast() {
                parent += "/" + component
                if made.insert(parent).inserted { result.append(.directory(parent)) }
            }
            made.insert(entry.path)
            result.append(entry)
        }
        return result
    }
}
