import Glibc
import Testing

@testable import Sandbox

@Suite struct HostReportTests {
    @Test func `a host that lacks nothing has no gaps`() {
        let report = HostReport(.make(), .make())
        #expect(report.gaps.isEmpty)
        #expect(report.findings.map(\.feature) == HostFeature.allCases)
        #expect(report.findings.allSatisfy { $0.state == .present })
        #expect(report.missing(of: Set(HostFeature.allCases)).isEmpty)
    }

    @Test func `what control groups do not do is one gap, with its cost for each`() throws {
        let report = HostReport(.make { $0.isRoot = false }, .make(nil, []))
        let gap = try #require(report.gaps.first { $0.features.contains(.memory) })
        #expect(gap.features == [.memory, .processes, .cpu])
        #expect(gap.what == "none to be had")
        for word in ["memory is not limited", "RLIMIT_NPROC", "RLIMIT_CPU"] { #expect(gap.cost.contains(word)) }
        #expect(gap.remedy.contains("root"))
        #expect(gap.remedy.contains("systemd-run"))
    }

    @Test func `a controller that is there is no gap because another is not`() {
        let report = HostReport(.make(), .make(.one, [.memory]))
        #expect(report.missing(of: Requirement.cgroups.features) == [.processes, .cpu])
        #expect(report.gaps.map(\.features) == [[.processes, .cpu]])
    }

    @Test func `a kernel without Landlock is told how to get it`() throws {
        let report = HostReport(.make { $0.landlockABI = 0 }, .make(walls: .systemCallFilter))
        #expect(report.missing(of: Requirement.landlock.features) == [.landlock])
        #expect(report.missing(of: HostFeature.indispensable).isEmpty)
        try #expect(#require(report.gaps.first).remedy.contains("CONFIG_SECURITY_LANDLOCK"))
    }

    @Test func `a kernel without filters lacks what is indispensable`() {
        let report = HostReport(.make(), .make(walls: .landlock))
        #expect(report.missing(of: HostFeature.indispensable) == [.seccomp])
    }

    @Test(arguments: [("5.14.21", true), ("5.15.0-91-generic", false), ("6.1.0", false), ("4.19.0", true), ("", false)])
    func `a kernel is old by its number`(release: String, isOld: Bool) {
        let report = HostReport(.make { $0.kernel = release }, .make())
        #expect(report.missing(of: [.kernel]) == (isOld ? [.kernel] : []))
    }

    @Test func `without a launcher the step that failed is missing, and nothing is known of the rest`() throws {
        let failure = SetupFailure(step: .launcherMountNamespace, number: EPERM)
        let report = HostReport(.makeContainer("podman"), failure: failure)
        #expect(state(.mounts, report) == .missing)
        for feature in [HostFeature.userNamespaces, .pivotRoot, .namespaces, .landlock, .seccomp, .memory] {
            #expect(state(feature, report) == .unknown)
        }
        let gap = try #require(report.gaps.first)
        #expect(gap.what.contains("launcher_mount_namespace: Operation not permitted (EPERM)"))
        #expect(gap.remedy == "start this container with --cap-add=SYS_ADMIN")
    }

    @Test func `a slot that fails shows what is there by the steps before`() {
        let failure = SetupFailure(step: .identity, number: EPERM)
        let report = HostReport(.make(), failure: failure, support: .make())
        for feature in [HostFeature.mounts, .pivotRoot, .namespaces, .memory] {
            #expect(state(feature, report) == .present)
        }
        #expect(state(.hostUsers, report) == .missing)
        for feature in [HostFeature.userNamespaces, .landlock, .seccomp] { #expect(state(feature, report) == .unknown) }
    }

    @Test func `what is not known is missing where it is required`() {
        let report = HostReport(.make(), failure: SetupFailure(step: .launcherProcess, number: EAGAIN))
        #expect(report.missing(of: [.seccomp, .kernel]) == [.seccomp])
        #expect(report.gaps(of: [.seccomp]).count == 1)
    }

    @Test func `a wall that a command got past is missing whatever was promised`() throws {
        let report = HostReport(.make(), .make(), trials: [.memory: false, .seccomp: true])
        #expect(report.missing(of: Requirement.isolation.features) == [.memory])
        let gap = try #require(report.gaps.first)
        #expect(report.gaps.count == 1)
        #expect(gap.features == [.memory])
        #expect(gap.remedy.contains("report"))
    }

    @Test func `a gap is one line with what, cost and remedy`() {
        let gap = Gap(features: [.memory, .cpu], what: "w", cost: "c", remedy: "r")
        #expect("\(gap)" == "memory, cpu: w. So: c. To close the gap: r")
    }

    private func state(_ feature: HostFeature, _ report: HostReport) -> HostFinding.State? {
        report.findings.first { $0.feature == feature }?.state
    }
}
