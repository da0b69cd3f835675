/// A command that tries to get past a wall.
struct HostTrial: Sendable {
    /// The wall.
    let feature: HostFeature
    /// For /bin/sh and nothing else: what it can do by itself is there on every host.
    let script: String
    var memoryBytes = 64 << 20
    var processes = 16
    var cpu = Duration.seconds(5)
    /// Whether the wall held, by how the command ended and what it wrote; `nil`: nobody can tell.
    let judge: @Sendable (SlotReport, String) -> Bool?

    /// Some of the walls can be tried from inside.
    static func all(ownNamespaces: [String: String]) -> [HostTrial] {
        [
            HostTrial(
                feature: .mounts,
                script: "echo x > /box/x && echo tried; (echo x > /usr/x) 2>/dev/null && echo written",
                judge: { _, output in output.contains("tried") ? !output.contains("written") : nil }
            ),
            HostTrial(
                feature: .namespaces,
                script: "for name in \(ownNamespaces.keys.sorted().joined(separator: " ")); do "
                    + #"[ -e /proc/self/ns/$name ] && echo "$name $(readlink /proc/self/ns/$name)"; done"#,
                judge: { _, output in areDifferent(output, ownNamespaces) }
            ),
            HostTrial(
                feature: .landlock,
                // A trial's mounts let it through (SandboxPolicy.trial).
                script: "echo tried; (echo 1000 > /proc/self/oom_score_adj) 2>/dev/null && echo written",
                judge: { _, output in output.contains("tried") ? !output.contains("written") : nil }
            ),
            HostTrial(
                feature: .seccomp,
                script: "while read -r name value; do echo \"$name$value\"; done < /proc/self/status",
                judge: { _, output in
                    output.contains("\nSeccomp:") ? output.contains("\nSeccomp:2\n") : nil
                }
            ),
            HostTrial(
                feature: .memory,
                script: "echo tried; x=xxxxxxxxxxxxxxxx; while [ ${#x} -lt 67108864 ]; do x=$x$x; done; echo written",
                memoryBytes: 16 << 20,
                // Killed, or refused: the kernel may also say that there is no memory, and then the shell gives up.
                judge: { _, output in output.contains("tried") ? !output.contains("written") : nil }
            ),
            HostTrial(
                feature: .processes,
                script: "echo tried; for i in 1 2 3 4 5 6 7 8; do (while :; do :; done) & done; echo written",
                processes: 4,
                cpu: .seconds(1),
                judge: { _, output in output.contains("tried") ? !output.contains("written") : nil }
            ),
            HostTrial(
                feature: .cpu,
                script: "(while :; do :; done) & (while :; do :; done) & wait",
                cpu: .milliseconds(100),
                judge: { report, _ in
                    guard case .ended(let end) = report else { return nil }
                    return end.usedUpProcessorTime
                }
            ),
        ]
    }

    /// Whether none of a run's namespaces is this process's own.
    private static func areDifferent(_ output: String, _ own: [String: String]) -> Bool? {
        let lines = output.split(separator: "\n").map { $0.split(separator: " ") }.filter { $0.count == 2 }
        guard lines.count == own.count else { return nil }
        return lines.allSatisfy { line in own[String(line[0])].map { $0 != line[1] } ?? false }
    }
}
