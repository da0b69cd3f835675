import Glibc
import TestSupport
import Testing

@testable import Sandbox

@Suite struct HostInfoTests {
    @Test func `capabilities and filters are read from the status`() {
        var info = HostInfo()
        info.readStatus("Name:\tx\nCapEff:\t00000000a80425fb\nSeccomp:\t2\nSeccomp_filters:\t1")
        #expect(info.capabilities == 0xA804_25FB)
        #expect(info.hasSystemCallFilter)
        info.readStatus("Seccomp:\t0")
        #expect(!info.hasSystemCallFilter)
    }

    @Test func `the first user namespace maps all users`() {
        #expect(HostInfo.mapsAllUsers("         0          0 4294967295"))
        #expect(!HostInfo.mapsAllUsers("0 1000 1\n1 100000 65536"))
    }

    @Test(arguments: [
        ("podman", true, ["--cap-add=SYS_ADMIN"]),
        ("podman", false, ["--cap-add=SYS_ADMIN", "--security-opt=unmask=ALL"]),
        ("docker", true, ["--cap-add=SYS_ADMIN", "--security-opt=seccomp=unconfined"]),
        (
            "docker", false,
            [
                "--cap-add=SYS_ADMIN", "--security-opt=seccomp=unconfined", "--security-opt=systempaths=unconfined",
            ]
        ),
    ])
    func `a container without flags needs exactly these flags`(name: String, isRoot: Bool, flags: [String]) {
        #expect(HostInfo.makeContainer(name) { $0.isRoot = isRoot }.missingContainerFlags == flags)
    }

    @Test func `flags that a container has are not listed`() {
        let info = HostInfo.makeContainer("podman") { info in
            info.capabilities = 1 << 21
            info.appArmorProfile = "containers-default (enforce)"
        }
        #expect(
            info.missingContainerFlags == ["--security-opt=seccomp=unconfined", "--security-opt=apparmor=unconfined"]
        )
        #expect(HostInfo.make { $0.hasSystemCallFilter = true }.missingContainerFlags.isEmpty)
    }

    @Test func `the remedy for a masked /proc is one flag, whatever else is missing`() {
        let info = HostInfo.makeContainer("podman") { $0.isInUserNamespace = true }
        let failure = SetupFailure(step: .proc, number: EPERM)
        #expect(info.remedy(for: failure) == "start this container with --security-opt=unmask=ALL")
    }

    @Test func `the remedy names the sysctl that forbids user namespaces`() {
        let info = HostInfo.make { $0.neededSysctls = ["user.max_user_namespaces=10000"] }
        let remedy = info.remedy(for: SetupFailure(step: .launcherUserNamespace, number: ENOSPC))
        #expect(remedy.contains("sysctl -w user.max_user_namespaces=10000"))
        #expect(!remedy.contains("apparmor"))
    }

    @Test func `the remedy for control groups fits the user and the container`() {
        #expect(HostInfo.make { $0.isRoot = false }.cgroupRemedy.contains("root"))
        #expect(HostInfo.makeContainer("podman").cgroupRemedy.contains("--volume=/sys/fs/cgroup"))
        #expect(HostInfo.make().cgroupRemedy.contains("mount -o remount,rw"))
    }

    @Test func `the kernel's release is that of uname`() {
        var name = utsname()
        uname(&name)
        let release = withUnsafeBytes(of: name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        #expect(HostInfo.current().kernel == release)
        #expect(HostInfo.current().isRoot == (geteuid() == 0))
    }

    @Test func `reading the host's properties does not change the priority`() {
        let thread = __priority_which_t(PRIO_PROCESS.rawValue)
        let before = getpriority(thread, 0)
        _ = HostInfo.current()
        #expect(getpriority(thread, 0) == before)
    }
}

@Suite struct HostFileTests {
    @Test func `a file above the limit is not read`() throws {
        let directory = try ScratchDirectory()
        let file = try directory.makeFile("file", String(repeating: "x", count: 100_000))
        #expect(HostFile.contents(of: file, atMost: 100_000)?.count == 100_000)
        #expect(HostFile.contents(of: file, atMost: 99_999) == nil)
        #expect(HostFile.contents(of: directory.path + "/absent", atMost: 10) == nil)
    }

    @Test func `names are sorted`() throws {
        let directory = try ScratchDirectory()
        for name in ["b", "a", "c"] { try directory.makeFile(name, "") }
        #expect(HostFile.names(in: directory.path) == ["a", "b", "c"])
        #expect(HostFile.names(in: directory.path + "/absent") == [])
    }

    @Test func `a canonical path has no links`() {
        #expect(HostFile.canonicalPath(of: "/proc/self/root") == "/")
        #expect(HostFile.canonicalPath(of: "/does/not/exist") == nil)
    }
}
