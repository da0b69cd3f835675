import RunModel
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
        #expect(none == .minimum)
    }
}
