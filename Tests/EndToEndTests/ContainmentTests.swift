import Testing

/// Attempts that succeed for root outside, made inside.
@Suite(.serialized, .enabled(if: Host.isRoot))
struct ContainmentTests {
    static let subjects = [
        "files", "devices", "namespaces", "mounts", "identity", "limits", "processes", "kernel", "network",
    ]

    /// Inside a server that was started carelessly.
    private func withTargets(_ body: (ServerProcess, ProbeTargets) throws -> Void) throws {
        let careless = ["sh", "-c", "exec 9</etc/shadow 8</ \"$@\"", "sh"]
        try withServer(prefix: careless) { server in try body(server, try ProbeTargets(server)) }
    }

    @Test(arguments: subjects)
    func `no attempt succeeds inside`(subject: String) throws {
        try withTargets { server, targets in
            let inside = try targets.inside([subject], on: server)
            #expect(!inside.isEmpty)
            #expect(inside.filter(\.isOpen).isEmpty)
            try #expect(targets.outside([subject]).map(\.name) == inside.map(\.name))
        }
    }

    @Test func `every attempt succeeds outside, or is known to be vacuous here`() throws {
        try withTargets { server, targets in
            let closed = try Self.subjects.flatMap { try targets.outside([$0]) }.filter { !$0.isOpen }
            var unexplained: [Probe] = []
            for probe in closed {
                let reason = VacuousProbes.reason(probe)
                print("vacuous: \(probe): \(reason ?? "and it should not be")")
                if reason == nil { unexplained.append(probe) }
            }
            #expect(unexplained.isEmpty)
        }
    }
}
