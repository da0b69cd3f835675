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

    @Test func `the limits that control groups do not enforce are one gap, with the cost of each`() throws {
        let report = HostReport(.make { $0.isRoot = false }, .make(nil, []))
        let gap = try #require(report.gaps.first { $0.features.contains(.memory) })
        #expect(gap.features == [.memory, .processes, .cpu])
        #expect(gap.problem == "no control groups")
        for word in ["memory is not limited", "RLIMIT_NPROC", "RLIMIT_CPU"] { #expect(gap.consequence.contains(word)) }
        #expect(gap.remedy.contains("root"))
        #expect(gap.remedy.contains("systemd-run"))
    }

    @Test func `a controller that is present is not in the gap of a missing one`() {
        let report = HostReport(.make(), .make(.one, [.memory]))
        #expect(report.missing(of: Requirement.cgroups.features) == [.processes, .cpu])
        #expect(report.gaps.map(\.features) == [[.processes, .cpu]])
    }

    @Test func `the remedy for missing Landlock names the kernel option`() throws {
        let report = HostReport(.make { $0.landlockABI = 0 }, .make(protections: .systemCallFilter))
        #expect(report.missing(of: Requirement.landlock.features) == [.landlock])
        #expect(report.missing(of: HostFeature.indispensable).isEmpty)
        try #expect(#require(report.gaps.first).remedy.contains("CONFIG_SECURITY_LANDLOCK"))
    }

    @Test func `a kernel without filters lacks an indispensable feature`() {
        let report = HostReport(.make(), .make(protections: .landlock))
        #expect(report.missing(of: HostFeature.indispensable) == [.seccomp])
    }

    @Test(arguments: [("5.14.21", true), ("5.15.0-91-generic", false), ("6.1.0", false), ("4.19.0", true), ("", false)])
    func `the release number tells whether a kernel is too old`(release: String, isOld: Bool) {
        let report = HostReport(.make { $0.kernel = release }, .make())
        #expect(report.missing(of: [.kernel]) == (isOld ? [.kernel] : []))
    }

    @Test func `without a launcher the feature of the failed step is missing and the others are unknown`() throws {
        let failure = SetupFailure(step: .launcherMountNamespace, number: EPERM)
        let report = HostReport(.makeContainer("podman"), failure: failure)
        #expect(state(.mounts, report) == .missing)
        for feature in [HostFeature.userNamespaces, .pivotRoot, .namespaces, .landlock, .seccomp, .memory] {
            #expect(state(feature, report) == .unknown)
        }
        let gap = try #require(report.gaps.first)
        #expect(gap.problem.contains("launcher_mount_namespace: Operation not permitted (EPERM)"))
        #expect(gap.remedy == "start this container with --cap-add=SYS_ADMIN")
    }

    @Test func `the steps before the failed step of a slot tell which features are present`() {
        let failure = SetupFailure(step: .identity, number: EPERM)
        let report = HostReport(.make(), failure: failure, support: .make())
        for feature in [HostFeature.mounts, .pivotRoot, .namespaces, .memory] {
            #expect(state(feature, report) == .present)
        }
        #expect(state(.hostUsers, report) == .missing)
        for feature in [HostFeature.userNamespaces, .landlock, .seccomp] { #expect(state(feature, report) == .unknown) }
    }

    @Test func `an unknown feature counts as missing if it is required`() {
        let report = HostReport(.make(), failure: SetupFailure(step: .launcherProcess, number: EAGAIN))
        #expect(report.missing(of: [.seccomp, .kernel]) == [.seccomp])
        #expect(report.gaps(of: [.seccomp]).count == 1)
    }

    @Test func `a protection that a probe got past is missing although the launcher reported it`() throws {
        let report = HostReport(.make(), .make(), probes: [.memory: false, .seccomp: true])
        #expect(report.missing(of: Requirement.isolation.features) == [.memory])
        let gap = try #require(report.gaps.first)
        #expect(report.gaps.count == 1)
        #expect(gap.features == [.memory])
        #expect(gap.remedy.contains("report"))
    }

    @Test func `a gap is one line with problem, consequence and remedy`() {
        let gap = Gap(features: [.memory, .cpu], problem: "p", consequence: "c", remedy: "r")
        #expect("\(gap)" == "memory, cpu: p. Consequence: c. Remedy: r")
    }

    private func state(_ feature: HostFeature, _ report: HostReport) -> HostFinding.State? {
        report.findings.first { $0.feature == feature }?.state
    }
}

@Suite struct RequirementTests {
    @Test func `isolation consists of all other requirements`() {
        let all = Requirement.allCases.filter { $0 != .isolation }
        #expect(Requirement.isolation.features == all.reduce(into: []) { $0.formUnion($1.features) })
        let features: Set<HostFeature> = [.namespaces, .seccomp, .landlock, .memory, .processes, .cpu]
        #expect(Requirement.isolation.features.isSuperset(of: features))
    }

    @Test func `cgroups consists of three limits`() {
        #expect(Requirement.cgroups.features == [.memory, .processes, .cpu])
        #expect(Requirement.memory.features == [.memory])
    }
}

extension HostInfo {
    /// Makes the properties of a host that lacks nothing, and applies a change.
    static func make(_ change: (inout HostInfo) -> Void = { _ in }) -> HostInfo {
        var info = HostInfo()
        info.kernel = "6.1.0-13-amd64"
        info.isRoot = true
        info.capabilities = .max
        info.landlockABI = 3
        info.canRaisePriority = true
        change(&info)
        return info
    }

    /// Makes the properties of a host in a container that was started without any flag, and applies a change.
    static func makeContainer(_ name: String, _ change: (inout HostInfo) -> Void = { _ in }) -> HostInfo {
        make { info in
            info.container = name
            info.capabilities = 0
            info.hasSystemCallFilter = true
            info.procIsMasked = true
            change(&info)
        }
    }
}

extension SandboxSupport {
    /// Makes the support that a launcher reports.
    static func make(
        _ version: CgroupVersion? = .two,
        _ controllers: Set<CgroupSupport.Controller> = [.memory, .processes, .cpu],
        protections: SandboxProtections = [.systemCallFilter, .landlock]
    ) -> SandboxSupport {
        let isComplete = controllers.count == CgroupSupport.Controller.allCases.count
        return SandboxSupport(
            cgroups: CgroupSupport(
                version: version,
                controllers: controllers,
                gap: isComplete ? nil : "no control groups"
            ),
            protections: protections
        )
    }
}
