/// A mounted cgroup hierarchy and this process's group in it (cgroups(7), proc_pid_mountinfo(5)).
struct CgroupHierarchy {
    let isVersion2: Bool
    /// The controllers of a version 1 hierarchy; empty for version 2.
    let controllers: Set<String>
    let mountPoint: String
    /// The path of this process's group below the mount point; empty at the root.
    let ownPath: String

    var ownDirectory: String { mountPoint + ownPath }

    /// Returns the hierarchies that this process sees mounted for writing.
    static func mounted() -> [CgroupHierarchy] {
        let mounts = HostFile.contents(of: "/proc/self/mountinfo", atMost: 4 << 20).map {
            String(decoding: $0, as: UTF8.self)
        }
        let groups = HostFile.contents(of: "/proc/self/cgroup", atMost: 64 << 10).map {
            String(decoding: $0, as: UTF8.self)
        }
        return all(mounts: mounts ?? "", groups: groups ?? "")
    }

    /// Parses the mounts and groups of a process.
    ///
    /// - Parameters:
    ///   - mounts: the text of `/proc/self/mountinfo`.
    ///   - groups: the text of `/proc/self/cgroup`.
    /// - Returns: the hierarchies that are mounted for writing.
    static func all(mounts: String, groups: String) -> [CgroupHierarchy] {
        let own = groups.split(separator: "\n").compactMap { line -> (controllers: Set<String>, path: String)? in
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { return nil }
            return (Set(fields[1].split(separator: ",").map(String.init)), String(fields[2]))
        }
        let found = mounts.split(separator: "\n").compactMap { line -> CgroupHierarchy? in
            let halves = line.split(separator: " - ", maxSplits: 1)
            let fields = halves.first?.split(separator: " ") ?? []
            let kind = halves.last?.split(separator: " ") ?? []
            guard halves.count == 2, fields.count >= 6, kind.count >= 3 else { return nil }
            let isVersion2 = kind[0] == "cgroup2"
            guard isVersion2 || kind[0] == "cgroup", fields[5].split(separator: ",").contains("rw") else { return nil }
            let options = Set(kind[2].split(separator: ",").map(String.init))
            let group = own.first { isVersion2 ? $0.controllers.isEmpty : !$0.controllers.isDisjoint(with: options) }
            guard let group, let path = below(group.path, root: String(fields[3])) else { return nil }
            return CgroupHierarchy(
                isVersion2: isVersion2,
                controllers: isVersion2 ? [] : group.controllers,
                mountPoint: String(fields[4]),
                ownPath: path
            )
        }
        // Of several mounts at one path, only the last is visible.
        return found.enumerated().compactMap { index, hierarchy in
            found[(index + 1)...].contains { $0.mountPoint == hierarchy.mountPoint } ? nil : hierarchy
        }
    }

    /// Returns the path of a group relative to the group that is mounted, or `nil` if it is not below that group.
    private static func below(_ path: String, root: String) -> String? {
        let path = path == "/" ? "" : path
        guard root != "/" else { return path.hasPrefix("/..") ? nil : path }
        if path == root { return "" }
        return path.hasPrefix(root + "/") ? String(path.dropFirst(root.count)) : nil
    }
}
