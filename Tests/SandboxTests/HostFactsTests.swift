import Glibc
import Testing

@testable import Sandbox

@Suite struct HostFactsTests {
    @Test func `capabilities and filters are read from the status`() {
        var facts = HostFacts()
        facts.readStatus("Name:\tx\nCapEff:\t00000000a80425fb\nSeccomp:\t2\nSeccomp_filters:\t1")
        #expect(facts.capabilities == 0xA804_25FB)
        #expect(facts.isFiltered)
        facts.readStatus("Seccomp:\t0")
        #expect(!facts.isFiltered)
    }

    @Test func `the first user namespace has all users`() {
        #expect(HostFacts.hasAllUsers("         0          0 4294967295"))
        #expect(!HostFacts.hasAllUsers("0 1000 1\n1 100000 65536"))
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
    func `a container without flags needs just these`(name: String, isRoot: Bool, flags: [String]) {
        #expect(HostFacts.makeContainer(name) { $0.isRoot = isRoot }.missingContainerFlags == flags)
    }

    @Test func `flags that a container has are not asked for`() {
        let facts = HostFacts.makeContainer("podman") { facts in
            facts.capabilities = 1 << 21
            facts.appArmorProfile = "containers-default (enforce)"
        }
        #expect(
            facts.missingContainerFlags == ["--security-opt=seccomp=unconfined", "--security-opt=apparmor=unconfined"]
        )
        #expect(HostFacts.make { $0.isFiltered = true }.missingContainerFlags.isEmpty)
    }

    @Test func `a covered /proc is uncovered, whatever else there is`() {
        let facts = HostFacts.makeContainer("podman") { $0.isInUserNamespace = true }
        let failure = SetupFailure(step: .proc, number: EPERM)
        #expect(facts.remedy(for: failure) == "start this container with --security-opt=unmask=ALL")
    }

    @Test func `an ordinary user is told which setting is in the way`() {
        let facts = HostFacts.make { $0.obstacles = ["user.max_user_namespaces=10000"] }
        let remedy = facts.remedy(for: SetupFailure(step: .launcherUserNamespace, number: ENOSPC))
        #expect(remedy.contains("sysctl -w user.max_user_namespaces=10000"))
        #expect(!remedy.contains("apparmor"))
    }

    @Test func `control groups are had by what fits the place`() {
        #expect(HostFacts.make { $0.isRoot = false }.cgroupRemedy.contains("root"))
        #expect(HostFacts.makeContainer("podman").cgroupRemedy.contains("--volume=/sys/fs/cgroup"))
        #expect(HostFacts.make().cgroupRemedy.contains("mount -o remount,rw"))
    }

    @Test func `this host's kernel is the one that uname says`() {
        var name = utsname()
        uname(&name)
        let release = withUnsafeBytes(of: name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        #expect(HostFacts.current().kernel == release)
        #expect(HostFacts.current().isRoot == (geteuid() == 0))
    }

    @Test func `a look at this host leaves the priority as it was`() {
        let thread = __priority_which_t(PRIO_PROCESS.rawValue)
        let before = getpriority(thread, 0)
        _ = HostFacts.current()
        #expect(getpriority(thread, 0) == before)
    }
}
