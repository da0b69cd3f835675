import Foundation
import Glibc
import TestSupport
import Testing

/// `sandglass doctor`, `--require`, and `GET /capabilities`.
struct DoctorTests {
    private struct Report: Decodable {
        struct Finding: Decodable {
            let feature: String
            let state: String
            let detail: String
        }

        struct Gap: Decodable {
            let features: [String]
            let what: String
            let cost: String
            let remedy: String
        }

        let ok: Bool
        let required: [String]
        let missing: [String]
        let enforcement: [String: String]?
        let findings: [Finding]
        let gaps: [Gap]

        func state(_ feature: String) -> String? { findings.first { $0.feature == feature }?.state }
    }

    private struct Capabilities: Decodable {
        struct Bounds: Decodable {
            let timeoutSeconds: Double
            let graceSeconds: Double
            let waitSeconds: Double?
            let bodyBytes: Int?
            let limits: [String: Double?]
        }

        let version: String
        let enforcement: [String: String]
        let defaults: Bounds
        let maxima: Bounds
        let images: [String]
        let networks: [String]
    }

    private func doctor(
        _ flags: [String] = [],
        prefix: [String] = [],
        program: String = Host.program
    ) throws -> (end: ChildProcess.End, report: Report) {
        let finished = try ChildProcess(prefix + [program, "doctor", "--json"] + flags).finish()
        return (finished.end, try JSONDecoder().decode(Report.self, from: Data(finished.output)))
    }

    // MARK: Doctor

    @Test(.enabled(if: Host.hasControlGroups)) func `doctor finds every feature on this host`() throws {
        let (end, report) = try doctor(["--require", "isolation"])
        #expect(end == .exited(0))
        #expect(report.ok && report.missing.isEmpty && report.gaps.isEmpty)
        #expect(report.enforcement?["memory"] == "cgroup1")
        #expect(report.enforcement?["syscalls"] == "seccomp")
        for feature in ["memory", "processes", "cpu", "seccomp", "mounts", "namespaces"] {
            let finding = try #require(report.findings.first { $0.feature == feature })
            #expect(finding.state == "present" && finding.detail.hasSuffix("; tested"), "\(finding)")
        }
    }

    @Test func `doctor prints its findings as text`() throws {
        let finished = try ChildProcess([Host.program, "doctor"]).finish()
        #expect(finished.end == .exited(0))
        #expect(finished.text.contains("seccomp           yes"))
        #expect(finished.text.hasSuffix("All required features are present.\n"))
    }

    @Test func `doctor tells an ordinary user the missing features, their cost and the remedy`() throws {
        let (end, report) = try doctor(prefix: Host.asOrdinaryUser, program: Host.sharedProgram)
        #expect(end == .exited(0))
        #expect(report.state("memory") == "missing")
        let gap = try #require(report.gaps.first { $0.features.contains("memory") })
        #expect(gap.cost.contains("memory is not limited"))
        #expect(gap.remedy.contains("run sandglass as root"))
    }

    @Test func `doctor labels the consequence and the remedy of a gap`() throws {
        let text = try ChildProcess(Host.asOrdinaryUser + [Host.sharedProgram, "doctor"]).finish().text
        for label in ["  consequence: memory is not limited", "  remedy: run sandglass as root"] {
            #expect(text.contains("\n" + label), "\(text)")
        }
        #expect(!text.contains("costs:"))
    }

    @Test func `doctor exits with 1 if a required feature is missing`() throws {
        let (end, report) = try doctor(
            ["--require", "seccomp,memory"],
            prefix: Host.asOrdinaryUser,
            program: Host.sharedProgram
        )
        #expect(end == .exited(1))
        #expect(!report.ok)
        #expect(report.missing == ["memory"])
    }

    @Test func `doctor leaves no control group`() throws {
        let process = try ChildProcess([Host.program, "doctor"])
        let pid = process.pid
        try #expect(process.finish().end == .exited(0))
        // The names of its groups contain its pid.
        for controller in ["memory", "pids", "cpuacct"] {
            let find = ["find", "/sys/fs/cgroup/\(controller)", "-name", "sandglass-\(pid)-*"]
            try #expect(ChildProcess(find).finish().text.isEmpty)
        }
    }

    @Test(.enabled(if: Host.isRoot)) func `doctor names the failing step of the launcher`() throws {
        // Root without CAP_SYS_ADMIN, as in a container.
        let prefix = ["setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin"]
        let (end, report) = try doctor(prefix: prefix)
        #expect(end == .exited(1))
        #expect(report.state("mounts") == "missing")
        #expect(report.state("seccomp") == "unknown")
        try #expect(#require(report.gaps.first).what.contains("launcher_mount_namespace"))
    }

    @Test func `doctor refuses an unknown feature with exit status 64`() throws {
        let finished = try ChildProcess([Host.program, "doctor", "--require", "walls"]).finish()
        #expect(finished.end == .exited(64))
        #expect(finished.diagnostics.contains("walls"))
    }

    #if arch(x86_64)
    @Test func `doctor reports a kernel without seccomp filters and tests the other features`() throws {
        let (end, report) = try doctor(prefix: SeccompDeny.call(317))
        #expect(end == .exited(1))
        #expect(report.missing == ["seccomp"])
        #expect(report.state("namespaces") == "present")
        #expect(report.enforcement?["syscalls"] == "none")
    }

    @Test(arguments: ["landlock", "isolation", "memory,landlock"])
    func `--require landlock refuses a kernel without Landlock`(required: String) throws {
        let prefix = SeccompDeny.call(444)
        let run = try ChildProcess(prefix + [Host.program, "run", "--require", required, "--", "echo", "hi"]).finish()
        #expect(run.end == .exited(125))
        #expect(run.output.isEmpty)
        #expect(run.diagnostics.contains("CONFIG_SECURITY_LANDLOCK"))
        let command = prefix + [Host.program, "serve", "--listen", "127.0.0.1:0", "--require", required]
        let server = try ChildProcess(command).finish()
        #expect(server.end == .exited(1))
        #expect(server.diagnostics.contains("no Landlock"))
        #expect(!server.diagnostics.contains("listening"))
    }

    @Test func `--require seccomp accepts a kernel without Landlock`() throws {
        let command = SeccompDeny.call(444) + [Host.program, "run", "--require", "seccomp", "--", "echo", "hi"]
        try #expect(ChildProcess(command).finish().text == "hi\n")
    }
    #endif

    // MARK: --require

    @Test func `--require memory refuses an ordinary user and names the remedy`() throws {
        for (command, status) in [(["run", "--", "true"], 125), (["serve", "--listen", "127.0.0.1:0"], 1)] {
            let call = [command[0], "--require", "seccomp", "--require", "memory"] + command.dropFirst()
            let finished = try ChildProcess(Host.asOrdinaryUser + [Host.sharedProgram] + call).finish()
            #expect(finished.end == .exited(Int32(status)))
            #expect(finished.diagnostics.contains("required protections: memory"))
            #expect(finished.diagnostics.contains("run sandglass as root"))
        }
    }

    @Test func `SANDGLASS_REQUIRE requires features`() throws {
        let command = Host.asOrdinaryUser + [Host.sharedProgram, "run", "--", "true"]
        let finished = try ChildProcess(command, environment: ["SANDGLASS_REQUIRE": "processes,cpu"]).finish()
        #expect(finished.end == .exited(125))
        #expect(finished.diagnostics.contains("required protections: processes, cpu"))
    }

    @Test(.enabled(if: Host.hasControlGroups)) func `--require isolation accepts this host`() throws {
        let finished = try ChildProcess([Host.program, "run", "--require", "isolation", "--", "echo", "hi"]).finish()
        #expect(finished.text == "hi\n")
        try ServerProcess(["--require", "isolation"]).stop()
    }

    @Test(arguments: ["walls", "", "memory,", "Memory", "memory cpu"])
    func `an unknown requirement is refused`(name: String) throws {
        try #expect(ChildProcess([Host.program, "run", "--require", name, "--", "true"]).finish().end == .exited(125))
        let serve = try ChildProcess([Host.program, "serve", "--require", name]).finish()
        #expect(serve.end == .exited(64))
        guard !name.isEmpty else { return }
        let environment = ["SANDGLASS_REQUIRE": name]
        let run = try ChildProcess([Host.program, "run", "--", "true"], environment: environment).finish()
        #expect(run.end == .exited(125))
    }

    // MARK: GET /capabilities

    @Test(.enabled(if: Host.isRoot))
    func `the doctor names a link that leads nowhere in a run`() throws {
        let name = "sandglass-e2e-\(getpid())"
        let (link, target) = ("/usr/share/" + name, "/opt/" + name)
        #expect(mkdir(target, 0o755) == 0 && symlink(target, link) == 0)
        defer {
            unlink(link)
            rmdir(target)
        }
        let report = try ChildProcess([Host.program, "doctor"]).finish()
        #expect(report.end == .exited(0))
        #expect(report.text.contains("  \(link) -> \(target)\n"))
        let json = try ChildProcess([Host.program, "doctor", "--json"]).finish()
        #expect(json.text.contains(#"{"link":"\#(link)","target":"\#(target)"}"#))
    }

    @Test func `capabilities agree with the document of a run`() throws {
        try withServer { server in
            let response = try server.get("/capabilities")
            #expect(response.status == 200)
            #expect(response.headers["content-type"] == "application/json")
            let capabilities = try JSONDecoder().decode(Capabilities.self, from: Data(response.body))
            let run = try server.run(["true"])
            #expect(capabilities.enforcement.filter { $0.key != "cpus" } == run.enforcement)
            let limited = try server.run(["true"], ["limits": ["cpus": 1]])
            #expect(capabilities.enforcement == limited.enforcement)
            #expect(capabilities.images == ["host"])
            #expect(capabilities.networks == ["none"])
            let limits = capabilities.defaults.limits
            #expect(run.limits.timeoutSeconds == capabilities.defaults.timeoutSeconds)
            #expect(Double(run.limits.memoryBytes) == limits["memoryBytes"] ?? nil)
            #expect(run.limits.cpuSeconds == limits["cpuSeconds"] ?? nil)
        }
    }

    @Test func `capabilities name the images and networks that a run may choose`() throws {
        let image = try ImageDirectory("one")
        try withServer("--allow-host-network", "--image", "one=\(image.path)") { server in
            let body = try server.get("/capabilities").body
            let capabilities = try JSONDecoder().decode(Capabilities.self, from: Data(body))
            #expect(capabilities.images == ["host", "one"])
            #expect(capabilities.networks == ["none", "host"])
            for image in capabilities.images {
                for network in capabilities.networks {
                    try #expect(server.run(["true"], ["image": image, "network": network]).end == .exited(0))
                }
            }
        }
    }

    @Test func `an ordinary user's capabilities list the limits that are not enforced`() throws {
        let server = try ServerProcess(prefix: Host.asOrdinaryUser, program: Host.sharedProgram)
        let response = try server.get("/capabilities")
        let capabilities = try JSONDecoder().decode(Capabilities.self, from: Data(response.body))
        #expect(capabilities.enforcement["memory"] == "none")
        #expect(response.text.contains("\"cost\":\"memory is not limited"))
        try server.stop()
    }

    @Test func `the server enforces the maxima of its capabilities`() throws {
        try withServer { server in
            let response = try server.get("/capabilities")
            let maxima = try JSONDecoder().decode(Capabilities.self, from: Data(response.body)).maxima
            for case (let name, let maximum?) in maxima.limits {
                let body = { (value: Double) in #"{"command":["true"],"limits":{"\#(name)":\#(Int(value))}}"# }
                try #expect(server.post(body(maximum + 1)).status == 422, "\(name)")
            }
            let body = { (value: Double) in #"{"command":["true"],"timeoutSeconds":\#(value)}"# }
            try #expect(server.post(body(maxima.timeoutSeconds)).status == 202)
            try #expect(server.post(body(maxima.timeoutSeconds + 1)).status == 422)
        }
    }

    @Test func `capabilities support HEAD and refuse queries and other methods`() throws {
        try withServer { server in
            let client = try server.client()
            try client.request("HEAD", "/capabilities")
            let head = try client.response(toHead: true)
            #expect(head.status == 200)
            try #expect(head.headers["content-length"] == "\(server.get("/capabilities").body.count)")
            try #expect(server.get("/capabilities?x=1").status == 400)
            try client.request("POST", "/capabilities", body: [])
            let refused = try client.response()
            #expect(refused.status == 405)
            #expect(refused.headers["allow"]?.contains("GET") == true)
        }
    }
}
