internal import CLinux
internal import Glibc
internal import Reactor
package import RunModel
internal import System

/// The version of the control groups that enforce limits on this host (cgroups(7)).
package enum CgroupVersion: UInt32, Sendable, Hashable {
    /// Version 1: one hierarchy for each controller, or for some controllers together.
    case one = 1
    /// Version 2: one hierarchy for all controllers.
    case two = 2
}

/// The limits that control groups enforce on this host, as found when the launcher started.
package struct CgroupSupport: Sendable, Hashable {
    /// A controller of a run's group.
    package enum Controller: Int, Sendable, CaseIterable {
        /// Limits and measures memory.
        case memory
        /// Limits the number of processes.
        case processes
        /// Measures processor time.
        case cpu
        /// Limits the processors in use, for runs that ask for it.
        case quota
        /// Chooses processors (version 1); used only because runtimes look for it.
        case cpuset
    }

    /// The version of the groups; `nil` if none are used.
    package let version: CgroupVersion?
    /// The controllers that the groups have.
    package let controllers: Set<Controller>
    /// The reason why some controllers are missing, in one line; `nil` if none is missing.
    package let gap: String?

    /// The enforcement that the receipt of every run on this host states, as far as control groups decide it.
    package var enforcement: Enforcement {
        let fallback = Enforcement.minimum
        return Enforcement(
            memory: means(.memory) ?? fallback.memory,
            processes: means(.processes) ?? fallback.processes,
            cpu: means(.cpu) ?? fallback.cpu,
            network: fallback.network,
            filesystem: fallback.filesystem,
            syscalls: fallback.syscalls,
            cpus: means(.quota) ?? Enforcement.Means.none
        )
    }

    /// Returns whether a group enforces the limit of a feature.
    package func enforces(_ feature: HostFeature) -> Bool { feature.controller.map(controllers.contains) ?? false }

    private func means(_ controller: Controller) -> Enforcement.Means? {
        guard controllers.contains(controller) else { return nil }
        return switch version {
        case .one: .cgroup1
        case .two: .cgroup2
        case nil: nil
        }
    }
}

/// The search for a cgroup in which this process may create groups, and the directory that it has created there.
///
/// Existing groups stay unchanged, with one exception in version 2. If this user manages a group that does not yet
/// delegate controllers to its children, the group delegates them from then on.
struct CgroupSearch {
    /// The directories that were created; `nil` if none could be created.
    let tree: CgroupTree?
    /// The reason why some controllers are missing; `nil` if none is missing.
    private let gap: String?

    /// The support for control groups if the launcher can use the tree.
    var support: CgroupSupport {
        CgroupSupport(version: tree?.version, controllers: tree?.controllers ?? [], gap: gap)
    }

    /// Returns the support when the launcher could not use the tree.
    func support(without failure: SetupFailure?) -> CgroupSupport {
        CgroupSupport(
            version: nil,
            controllers: [],
            gap: gap ?? failure.map { "no control groups, because the launcher cannot use them: \($0.summary)" }
        )
    }

    /// Finds a writable cgroup and creates this service's directories in it.
    static func makeTree() -> CgroupSearch {
        let hierarchies = CgroupHierarchy.mounted()
        let name = "\(CgroupTree.prefix)\(getpid())-\(String(UInt32.random(in: .min ... .max), radix: 36))"
        // A hybrid host has the controllers in version 1 hierarchies, beside an empty version 2 hierarchy.
        if hierarchies.contains(where: { $0.controllers.contains("memory") }) {
            return version1(hierarchies, name)
        }
        if let hierarchy = hierarchies.first(where: \.isVersion2) { return version2(hierarchy, name) }
        return CgroupSearch(tree: nil, gap: "no control groups are mounted for writing")
    }

    // MARK: Version 1

    private static let version1Controllers: [(CgroupSupport.Controller, String)] = [
        (.memory, "memory"), (.processes, "pids"), (.cpu, "cpuacct"),
    ]

    private static func version1(_ hierarchies: [CgroupHierarchy], _ name: String) -> CgroupSearch {
        var tree = CgroupTree(version: .one, name: name)
        var missing: [String] = []
        for (controller, name) in version1Controllers {
            guard let hierarchy = hierarchies.first(where: { $0.controllers.contains(name) }) else {
                missing.append("\(name) (not mounted for writing)")
                continue
            }
            CgroupTree.removeAbandoned(in: hierarchy.ownDirectory)
            if !tree.add([controller], named: hierarchy.controllers, in: hierarchy.ownDirectory) {
                missing.append("\(name) (\(SystemError.meaning(of: errno)) in \(hierarchy.ownDirectory))")
            }
        }
        // Few runs need these, so their absence is no gap.
        for (controller, name) in [(CgroupSupport.Controller.quota, "cpu"), (.cpuset, "cpuset")] {
            guard let hierarchy = hierarchies.first(where: { $0.controllers.contains(name) }) else { continue }
            CgroupTree.removeAbandoned(in: hierarchy.ownDirectory)
            _ = tree.add([controller], named: hierarchy.controllers, in: hierarchy.ownDirectory)
        }
        guard !missing.isEmpty else { return CgroupSearch(tree: tree, gap: nil) }
        let gap = "no control groups can be created for " + missing.joined(separator: ", ")
        return CgroupSearch(tree: tree.controllers.subtracting([.quota, .cpuset]).isEmpty ? nil : tree, gap: gap)
    }

    // MARK: Version 2

    private static func version2(_ hierarchy: CgroupHierarchy, _ name: String) -> CgroupSearch {
        var failures: [String] = []
        for parent in candidates(in: hierarchy) {
            CgroupTree.removeAbandoned(in: parent.path)
            var tree = CgroupTree(version: .two, name: name)
            guard tree.add([.memory, .processes, .cpu], named: hierarchy.controllers, in: parent.path) else {
                failures.append("\(parent.path): \(SystemError.meaning(of: errno))")
                continue
            }
            if delegateControllers(to: &tree, from: parent) {
                // The launcher passes it on to the groups of slots with the first run that asks for it.
                let file = parent.path + "/cgroup.subtree_control"
                if delegates("cpu", parent.path) || CgroupTree.write("+cpu", to: file) {
                    _ = tree.add([.quota], named: hierarchy.controllers, in: parent.path)
                }
                return CgroupSearch(tree: tree, gap: nil)
            }
            failures.append("\(parent.path): the memory and pids controllers cannot be delegated from there")
            tree.close()
            tree.remove()
        }
        return CgroupSearch(tree: nil, gap: "no control groups can be created: " + failures.joined(separator: "; "))
    }

    /// A group in which the tree may be created.
    private struct ParentGroup {
        let path: String
        /// A Boolean value that indicates whether this process is in the group and must first move into the tree.
        ///
        /// A group with processes cannot delegate controllers to its children (cgroups(7), "no internal processes").
        let mustLeave: Bool
    }

    /// Returns the groups to try, the best first.
    private static func candidates(in hierarchy: CgroupHierarchy) -> [ParentGroup] {
        let own = hierarchy.ownDirectory
        // The root of the hierarchy is the only group without this file, and the rule does not apply to it.
        let isRoot = access(own + "/cgroup.type", F_OK) != 0
        if isRoot { return [ParentGroup(path: own, mustLeave: false)] }
        let inside = ParentGroup(path: own, mustLeave: true)
        guard !hierarchy.ownPath.isEmpty, let slash = own.lastIndex(of: "/") else { return [inside] }
        let beside = ParentGroup(path: String(own[..<slash]), mustLeave: false)
        return isDelegated(own) ? [inside, beside] : [beside, inside]
    }

    /// Returns whether systemd has delegated a group, which an attribute marks (systemd's CGROUP_DELEGATION page).
    private static func isDelegated(_ path: String) -> Bool {
        ["user.delegate", "trusted.delegate"].contains { (name: String) in sandglass_has_attribute(path, name) == 1 }
    }

    /// Delegates the memory and pids controllers from a group to the tree.
    ///
    /// If the group requires it, this process moves into the tree first.
    private static func delegateControllers(to tree: inout CgroupTree, from parent: ParentGroup) -> Bool {
        guard let directory = tree.directories.first?.path else { return false }
        if parent.mustLeave {
            let service = directory + "/service"
            guard mkdir(service, 0o755) == 0, CgroupTree.write("0", to: service + "/cgroup.procs") else { return false }
            tree.origin = parent.path
        }
        for group in [parent.path, directory] {
            for name in ["memory", "pids"] {
                guard delegates(name, group) || CgroupTree.write("+" + name, to: group + "/cgroup.subtree_control")
                else {
                    return false
                }
            }
        }
        return true
    }

    private static func delegates(_ name: String, _ group: String) -> Bool {
        let text = HostFile.contents(of: group + "/cgroup.subtree_control", atMost: 4096) ?? []
        return String(decoding: text, as: UTF8.self).split { " \n".contains($0) }.contains(Substring(name))
    }
}
