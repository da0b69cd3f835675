import Glibc
import RunModel
import System
import TestSupport
import Testing

@testable import Sandbox

@Suite struct CgroupHierarchyTests {
    private static let hybrid = """
        30 20 0:26 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755
        31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct
        32 30 0:28 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory
        33 30 0:29 / /sys/fs/cgroup/pids ro,nosuid - cgroup cgroup rw,pids
        34 30 0:30 / /sys/fs/cgroup/unified rw,nosuid - cgroup2 cgroup2 rw,nsdelegate
        """

    @Test func `each hierarchy is found with this process's own group in it`() {
        let all = CgroupHierarchy.all(mounts: Self.hybrid, groups: "4:memory:/a/b\n3:cpu,cpuacct:/\n2:pids:/a\n0::/c\n")
        #expect(
            all.map(\.ownDirectory) == [
                "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/memory/a/b", "/sys/fs/cgroup/unified/c",
            ]
        )
        #expect(all.map(\.controllers) == [["cpu", "cpuacct"], ["memory"], []])
        #expect(all.map(\.isVersion2) == [false, false, true])
    }

    @Test func `a hierarchy that is mounted read-only is ignored`() {
        let all = CgroupHierarchy.all(mounts: Self.hybrid, groups: "2:pids:/\n")
        #expect(all.isEmpty)
    }

    @Test func `the path of a group is relative to the mounted group`() {
        let mount = "34 30 0:30 /unit /sys/fs/cgroup rw - cgroup2 cgroup2 rw"
        #expect(CgroupHierarchy.all(mounts: mount, groups: "0::/unit\n").map(\.ownDirectory) == ["/sys/fs/cgroup"])
        #expect(CgroupHierarchy.all(mounts: mount, groups: "0::/unit/a\n").map(\.ownDirectory) == ["/sys/fs/cgroup/a"])
        #expect(CgroupHierarchy.all(mounts: mount, groups: "0::/units\n").isEmpty)
    }

    @Test func `a group outside the cgroup namespace is ignored`() {
        let mount = "34 30 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw"
        #expect(CgroupHierarchy.all(mounts: mount, groups: "0::/../other\n").isEmpty)
    }

    @Test func `of two mounts at one path the last counts`() {
        let mounts = """
            34 30 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw
            35 34 0:30 /unit /sys/fs/cgroup rw - cgroup2 cgroup2 rw
            """
        #expect(CgroupHierarchy.all(mounts: mounts, groups: "0::/unit\n").map(\.ownPath) == [""])
    }
}

@Suite struct CgroupSupportTests {
    @Test(arguments: [(CgroupVersion.one, Enforcement.Means.cgroup1), (.two, .cgroup2)])
    func `the receipt names control groups for the limits that they enforce, and fallbacks for the others`(
        version: CgroupVersion,
        means: Enforcement.Means
    ) {
        let some = CgroupSupport(version: version, controllers: [.memory, .cpu], gap: nil).enforcement
        #expect(some.memory == means)
        #expect(some.cpu == means)
        #expect(some.processes == .rlimit)
        let none = CgroupSupport(version: nil, controllers: [], gap: nil).enforcement
        var minimum = Enforcement.minimum
        minimum.cpus = Enforcement.Means.none
        #expect(none == minimum)
        #expect(some.cpus == Enforcement.Means.none)
        let all = CgroupSupport(version: version, controllers: [.quota], gap: nil).enforcement
        #expect(all.cpus == means)
        // Only the receipt of a run with the limit names it.
        var run = RunSpecification(command: ["true"])
        #expect(all.receipt(of: run).cpus == nil)
        run.limits.cpus = 1
        #expect(all.receipt(of: run).cpus == means)
    }
}

/// The directories of services that start and remove the abandoned directories of others at the same time.
@Suite struct CgroupTreeTests {
    private static let services = 8
    private static let starts = 1000

    /// A group of this test in the first hierarchy that is mounted for writing, or nil if there is none.
    private static func makeGroup() -> String? {
        for hierarchy in CgroupHierarchy.mounted() {
            let path = hierarchy.ownDirectory + "/cgroup-tree-tests-\(getpid())"
            if mkdir(path, 0o755) == 0 { return path }
        }
        return nil
    }

    private static let canMakeGroup: Bool = {
        guard let group = makeGroup() else { return false }
        rmdir(group)
        return true
    }()

    /// Returns true if each directory of a tree exists and is the one that the tree has locked.
    private static func isWhole(_ tree: CgroupTree) -> Bool {
        !tree.directories.isEmpty
            && tree.directories.allSatisfy { directory in
                var (current, locked) = (stat(), stat())
                return stat(directory.path, &current) == 0 && fstat(directory.descriptor, &locked) == 0
                    && current.st_ino == locked.st_ino && current.st_dev == locked.st_dev
            }
    }

    /// Starts several services again and again and returns the number of starts whose directory another one removed.
    private static func losses(in parent: String) -> Int {
        let losses = Lock(0)
        let threads = (0..<services).map { service in
            NamedThread("service-\(service)") {
                for start in 0..<starts {
                    CgroupTree.removeAbandoned(in: parent)
                    var tree = CgroupTree(version: .one, name: "\(CgroupTree.prefix)\(service)-\(start)")
                    let isMade = tree.add([.memory], named: ["memory"], in: parent)
                    // The other services have looked at this directory before it is checked.
                    CgroupTree.removeAbandoned(in: parent)
                    if !isMade || !isWhole(tree) { losses.withLock { $0 += 1 } }
                    tree.remove()
                    tree.close()
                }
            }
        }
        for thread in threads { thread.join() }
        return losses.withLock { $0 }
    }

    @Test func `services that start at the same time keep their directories`() throws {
        let directory = try ScratchDirectory()
        #expect(Self.losses(in: directory.path) == 0)
        #expect(ScratchDirectory.names(in: directory.path).isEmpty)
    }

    @Test(.enabled(if: CgroupTreeTests.canMakeGroup))
    func `services that start at the same time keep their control groups`() throws {
        let group = try #require(Self.makeGroup())
        #expect(Self.losses(in: group) == 0)
        #expect(ScratchDirectory.names(in: group).allSatisfy { !$0.hasPrefix(CgroupTree.prefix) })
        #expect(rmdir(group) == 0)
    }

    @Test func `a start removes the directory of a killed service, and of no other`() throws {
        let parent = try ScratchDirectory()
        var (killed, alive) = (
            CgroupTree(version: .one, name: CgroupTree.prefix + "killed"),
            CgroupTree(version: .one, name: CgroupTree.prefix + "alive")
        )
        #expect(
            killed.add([.memory], named: ["memory"], in: parent.path)
                && alive.add([.memory], named: ["memory"], in: parent.path)
        )
        for group in ["slot-0", "runs"] {
            try #require(mkdir(parent.path + "/" + CgroupTree.prefix + "killed/" + group, 0o755) == 0)
        }
        // The kernel releases the lock when it closes the descriptors of a killed service.
        killed.close()
        try #require(mkdir(parent.path + "/other", 0o755) == 0)
        CgroupTree.removeAbandoned(in: parent.path)
        #expect(ScratchDirectory.names(in: parent.path) == ["other", CgroupTree.prefix + "alive"])
        #expect(Self.isWhole(alive))
        alive.close()
    }
}
