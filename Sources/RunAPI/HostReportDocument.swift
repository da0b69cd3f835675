internal import JSON
package import RunModel
internal import System

/// The report of `sandglass doctor`: the features of a host, as JSON and as text.
package struct HostReportDocument: Sendable {
    /// A feature and its state on the host.
    package struct Finding: Sendable {
        /// The state of a feature.
        package enum State: String, Sendable {
            case present
            case missing
            /// The check was not reached.
            case unknown
        }

        /// The name of the feature, such as `user_namespaces`.
        package let feature: String
        /// The state.
        package let state: State
        /// An explanation for people.
        package let detail: String

        package init(feature: String, state: State, detail: String) {
            (self.feature, self.state, self.detail) = (feature, state, detail)
        }
    }

    private let kernel: String
    private let container: String?
    private let enforcement: Enforcement?
    private let findings: [Finding]
    private let gaps: [GapDocument]
    private let required: [String]
    private let missing: [String]
    private let hiddenTargets: [(link: String, target: String)]
    /// The maximum number of links in the text; the JSON has all of them.
    private static let listedLinks = 10

    /// - Parameters:
    ///   - kernel: the kernel's release.
    ///   - container: the container runtime, such as `podman`; `nil` outside a container.
    ///   - enforcement: the receipt of a run; `nil` where no run can be started.
    ///   - findings: the features of the host, in the order of the report.
    ///   - gaps: the features that the host lacks.
    ///   - required: the names of the required features.
    ///   - missing: the names of the required features that were not found.
    ///   - hiddenTargets: the links of `/usr` that lead nowhere in a run, with their targets.
    package init(
        kernel: String,
        container: String?,
        enforcement: Enforcement?,
        findings: [Finding],
        gaps: [GapDocument],
        required: [String],
        missing: [String],
        hiddenTargets: [(link: String, target: String)] = []
    ) {
        self.kernel = kernel
        self.container = container
        self.enforcement = enforcement
        self.findings = findings
        self.gaps = gaps
        self.required = required
        self.missing = missing
        self.hiddenTargets = hiddenTargets
    }

    /// The report for programs: one JSON object with a final line feed.
    package var json: [UInt8] {
        var writer = JSONWriter(capacity: 4096)
        writer.object { document in
            document.member("ok", missing.isEmpty)
            document.member("required", required)
            document.member("missing", missing)
            document.member("kernel", kernel)
            document.member("container", container)
            document.member("enforcement") { $0.value(enforcement.map(EnforcementDocument.init)) }
            document.member("findings") { findings in
                findings.array { elements in
                    for finding in self.findings {
                        elements.object { element in
                            element.member("feature", finding.feature)
                            element.member("state", finding.state.rawValue)
                            element.member("detail", finding.detail)
                        }
                    }
                }
            }
            document.member("gaps") { gaps in
                gaps.array { elements in for gap in self.gaps { elements.value(gap) } }
            }
            document.member("hiddenTargets") { links in
                links.array { elements in
                    for link in hiddenTargets {
                        elements.object { element in
                            element.member("link", link.link)
                            element.member("target", link.target)
                        }
                    }
                }
            }
        }
        return writer.bytes + [UInt8(ascii: "\n")]
    }

    /// The report for people, with a final line feed.
    package var text: String {
        var lines = findings.map { finding in
            let mark =
                switch finding.state {
                case .present: "yes"
                case .missing: "NO"
                case .unknown: "?"
                }
            return Self.padded(Self.words(finding.feature), 18) + Self.padded(mark, 5) + note(finding)
        }
        if let container { lines.append("(in a container: \(container))") }
        for gap in gaps {
            let names = Self.list(gap.features)
            lines += [
                "", (names.isEmpty ? "the sandbox" : names) + ": " + gap.problem, "  consequence: " + gap.consequence,
                "  remedy: " + gap.remedy,
            ]
        }
        if !hiddenTargets.isEmpty {
            lines += ["", "links that lead nowhere in a run (show a target to all runs with --expose TARGET):"]
            lines += hiddenTargets.prefix(Self.listedLinks).map { "  \($0.link) -> \($0.target)" }
            let more = hiddenTargets.count - Self.listedLinks
            if more > 0 { lines.append("  and \(more, counting: "other link")") }
        }
        lines += [
            "",
            missing.isEmpty
                ? "All required features are present." : "Missing required features: \(Self.list(missing)).",
        ]
        return lines.joined(separator: "\n") + "\n"
    }

    private func note(_ finding: Finding) -> String {
        guard finding.state == .missing else { return finding.detail }
        return required.contains(finding.feature) ? "required" : ""
    }

    private static func words(_ feature: String) -> String { feature.replacing("_", with: " ") }

    private static func list(_ features: [String]) -> String { features.map(words).joined(separator: ", ") }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(width - text.count, 1))
    }
}
