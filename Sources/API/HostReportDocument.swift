internal import JSON
public import Sandbox

/// What `sandglass doctor` says.
public struct HostReportDocument {
    private let report: HostReport
    private let required: Set<HostFeature>
    private let missing: [HostFeature]

    /// - Parameters:
    ///   - report: what was found.
    ///   - required: what has to be there.
    public init(report: HostReport, required: Set<HostFeature>) {
        self.report = report
        self.required = required
        missing = report.missing(of: required)
    }

    /// For programs: one JSON object, with a line end.
    public var json: [UInt8] {
        var writer = JSONWriter(capacity: 4096)
        writer.object { document in
            document.member("ok", missing.isEmpty)
            Self.write("required", HostFeature.allCases.filter(required.contains), to: &document)
            Self.write("missing", missing, to: &document)
            document.member("kernel", report.facts.kernel)
            document.member("container", report.facts.container)
            document.member("enforcement") {
                $0.value((report.support?.enforcement).map(EnforcementDocument.init))
            }
            document.member("findings") { findings in
                findings.array { elements in
                    for finding in report.findings {
                        elements.object { element in
                            element.member("feature", finding.feature.rawValue)
                            element.member("state", finding.state.rawValue)
                            element.member("detail", finding.detail)
                        }
                    }
                }
            }
            document.member("gaps") {
                $0.array { elements in for gap in report.gaps { elements.value(GapDocument(gap: gap)) } }
            }
        }
        return writer.bytes + [UInt8(ascii: "\n")]
    }

    /// For people.
    public var text: String {
        var lines = report.findings.map { finding in
            let name = finding.feature.rawValue.replacing("_", with: " ")
            let mark =
                switch finding.state {
                case .present: "yes"
                case .missing: "NO"
                case .unknown: "?"
                }
            return Self.padded(name, 18) + Self.padded(mark, 5)
                + (finding.state == .missing && required.contains(finding.feature) ? "required" : Self.note(finding))
        }
        if let container = report.facts.container { lines.append("(in a container: \(container))") }
        for gap in report.gaps {
            let names = gap.features.map { $0.rawValue.replacing("_", with: " ") }.joined(separator: ", ")
            lines += [
                "", (names.isEmpty ? "the sandbox" : names) + ": " + gap.what, "  costs: " + gap.cost,
                "  remedy: " + gap.remedy,
            ]
        }
        let names = missing.map { $0.rawValue.replacing("_", with: " ") }.joined(separator: ", ")
        lines += ["", missing.isEmpty ? "All that is required is here." : "Required, and not here: \(names)."]
        return lines.joined(separator: "\n") + "\n"
    }

    private static func note(_ finding: HostFinding) -> String { finding.state == .missing ? "" : finding.detail }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(width - text.count, 1))
    }

    private static func write(_ name: String, _ features: [HostFeature], to document: inout JSONWriter) {
        document.member(name) { $0.array { names in for feature in features { names.element(feature.rawValue) } } }
    }
}
