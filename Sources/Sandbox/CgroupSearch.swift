internal import CLinux
internal import Glibc
internal import Reactor

/// Looks for a place where this process may make control groups, and makes a folder of its own there.
///
/// Existing groups are left as they are. (The one exception, in version 2: where controllers are not yet passed on to the
/// groups below a place that is this user's to organise, they are from then on.)
struct CgroupSearch {
    /// What was made; `nil`: nothing could be.
    let tree: CgroupTree?
    /// What is missing.
    private let gap: String?

    /// What groups do if the launcher can use them.
    var support: CgroupSupport {
        CgroupSupport(version: tree?.version, controllers: tree?.controllers ?? [], gap: gap)
    }

    /// What is left when the launcher could not use them.
    func support(without failure: SetupFailure?) -> CgroupSupport {
        CgroupSupport(
            version: nil,
            controllers: [],
            gap: gap ?? failure.map { "control groups cannot be used: \($0.summary)" }
        )
    }

    static func makeTree() -> CgroupSearch {
        let hierarchies = CgroupHierarchy.mounted()
        let name = "\(CgroupTree.prefix)\(getpid())-\(String(UInt32.random(in: .min ... .max), radix: 36))"
        // A hybrid host has an empty version 2 hierarchy beside the controllers of version 1.
        if hierarchies.contains(where: { $0.controllers.contains("memory") }) {
            return version1(hierarchies, name)
        }
        if let hierarchy = hierarchies.first(where: \.isVersion2) { return version2(hierarchy, name) }
        return CgroupSearch(
            tree: nil,
            gap: "no control groups are mounted for writing"
        )
    }

    // MARK: Version 1

    private static let controllers1: [(CgroupSupport.Controller, String)] = [
        (.memory, "memory"), (.processes, "pids"), (.cpu, "cpuacct"),
    ]

    private static func version1(_ hierarchies: [CgroupHierarchy], _ name: String) -> CgroupSearch {
        var tree = CgroupTree(version: .one, name: name)
        var missing: [String] = []
        for (controller, name) in controllers1 {
            guard let hierarchy = hierarchies.first(where: { $0.controllers.contains(name) }) else {
                missing.append("\(name): not mounted for writing")
                continue
            }
            CgroupTree.removeAbandoned(in: hierarchy.ownFolder)
            if !tree.add([controller], in: hierarchy.ownFolder) {
                missing.append("\(name): \(SystemError.meaning(of: errno)) in \(hierarchy.ownFolder)")
            }
        }
        guard !missing.isEmpty else { return CgroupSearch(tree: tree, gap: nil) }
        let gap = "no control groups for " + missing.joined(separator: "; ")
        return CgroupSearch(tree: tree.controllers.isEmpty ? nil : tree, gap: gap)
    }

    // MARK: Version 2

    private static func version2(_ hierarchy: CgroupHierarchy, _ name: String) -> CgroupSearch {
        var failures: [String] = []
        for place in places(hierarchy) {
            CgroupTree.removeAbandoned(in: place.path)
            var tree = CgroupTree(version: .two, name: name)
            guard tree.add(CgroupSupport.Controller.allCases, in: place.path) else {
                failures.append("\(place.path): \(SystemError.meaning(of: errno))")
                continue
            }
            if pass(to: &tree, from: place) { return CgroupSearch(tree: tree, gap: nil) }
            failures.append("\(place.path): the memory and pids controllers cannot be had there")
            tree.close()
            tree.remove()
        }
        return CgroupSearch(
            tree: nil,
            gap: "no control groups: " + failures.joined(separator: "; ")
        )
    }

    /// A group in which the tree may stand.
    private struct Place {
        let path: String
        /// It has this process in it, and a group with processes has none below that are limited (cgroups(7), "no internal
        /// processes"): this process moves into the tree first.
        let mustLeave: Bool
    }

    private static func places(_ hierarchy: CgroupHierarchy) -> [Place] {
        let own = hierarchy.ownFolder
        // Only the true root lacks this file, and the rule.
        let isRoot = access(own + "/cgroup.type", F_OK) != 0
        if isRoot { return [Place(path: own, mustLeave: false)] }
        let inside = Place(path: own, mustLeave: true)
        guard !hierarchy.ownPath.isEmpty, let slash = own.lastIndex(of: "/") else { return [inside] }
        let beside = Place(path: String(own[..<slash]), mustLeave: false)
        return isDelegated(own) ? [inside, beside] : [beside, inside]
    }

    /// systemd marks what it leaves to others (its CGROUP_DELEGATION page).
    private static func isDelegated(_ path: String) -> Bool {
        ["user.delegate", "trusted.delegate"].contains { (name: String) in sandglass_has_attribute(path, name) == 1 }
    }

    private static func pass(to tree: inout CgroupTree, from place: Place) -> Bool {
        guard let folder = tree.folders.first?.path else { return false }
        if place.mustLeave {
            let service = folder + "/service"
            guard mkdir(service, 0o755) == 0, CgroupTree.write("0", to: service + "/cgroup.procs") else { return false }
            tree.origin = place.path
        }
        for group in [place.path, folder] {
            for name in ["memory", "pids"] {
                guard passes(name, group) || CgroupTree.write("+" + name, to: group + "/cgroup.subtree_control") else {
                    return false
                }
            }
        }
        return true
    }

    private static func passes(_ name: String, _ group: String) -> Bool {
        let text = HostFile.contents(of: group + "/cgroup.subtree_control", atMost: 4096) ?? []
        return String(decoding: text, as: UTF8.self).split { " \n".contains($0) }.contains(Substring(name))
    }
}
