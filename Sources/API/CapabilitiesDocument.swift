internal import JSON
internal import Runs
internal import Sandbox

/// The answer to `GET /capabilities`.
struct CapabilitiesDocument {
    let capabilities: Capabilities
    let maxima: RequestMaxima
    let maximumBodyBytes: Int

    /// The JSON text, with a line end.
    func render() -> [UInt8] {
        var writer = JSONWriter(capacity: 4096)
        writer.object { document in
            document.member("version", capabilities.version)
            document.member("enforcement") {
                $0.value((capabilities.report.support?.enforcement).map(EnforcementDocument.init))
            }
            document.member("walls") { $0.object { writeWalls(to: &$0) } }
            document.member("gaps") { gaps in
                gaps.array { elements in
                    for gap in capabilities.report.gaps { elements.value(GapDocument(gap: gap)) }
                }
            }
            document.member("defaults") { $0.object { writeDefaults(to: &$0) } }
            document.member("maxima") { $0.object { writeMaxima(to: &$0) } }
            document.member("images") {
                $0.array { names in for image in capabilities.images { names.element(image) } }
            }
            document.member("networks") {
                $0.array { names in for network in maxima.networks { names.element(network.rawValue) } }
            }
        }
        return writer.bytes + [UInt8(ascii: "\n")]
    }

    private func writeWalls(to document: inout JSONWriter) {
        let (facts, support) = (capabilities.report.facts, capabilities.report.support)
        document.member("kernel", facts.kernel)
        document.member("namespaces") { names in
            names.array { elements in
                for name in ["user", "pid", "mount", "ipc", "uts", "cgroup", "network"] { elements.element(name) }
            }
        }
        document.member("seccomp", support?.walls.contains(.systemCallFilter) ?? false)
        document.member("landlock") { member in
            guard support?.walls.contains(.landlock) ?? false else { return member.value(String?.none) }
            member.object { $0.member("abi", facts.landlockABI) }
        }
        document.member("cgroups") { member in
            guard let cgroups = support?.cgroups, let version = cgroups.version else {
                return member.value(String?.none)
            }
            member.object { member in
                member.member("version", version.rawValue)
                member.member("limits") { names in
                    names.array { elements in
                        for feature in HostFeature.allCases where cgroups.keeps(feature) {
                            elements.element(feature.rawValue)
                        }
                    }
                }
            }
        }
        document.member("hostUsers", facts.isRoot ? "each_its_own" : "own")
    }

    private func writeDefaults(to document: inout JSONWriter) {
        let limits = maxima.defaults
        document.member("timeoutSeconds", limits.timeout.inSeconds)
        document.member("graceSeconds", 0)
        document.member("limits") { member in
            member.object { member in
                member.member("cpuSeconds", min(limits.cpu, maxima.cpu).inSeconds)
                member.member("memoryBytes", limits.memoryBytes)
                member.member("processes", limits.processes)
                member.member("outputBytes", limits.outputBytes)
                member.member("diskBytes", limits.diskBytes)
                member.member("openFiles", limits.openFiles)
            }
        }
    }

    private func writeMaxima(to document: inout JSONWriter) {
        document.member("timeoutSeconds", maxima.timeout.inSeconds)
        document.member("graceSeconds", maxima.grace.inSeconds)
        document.member("waitSeconds", maxima.wait.inSeconds)
        document.member("bodyBytes", maximumBodyBytes)
        document.member("commandElements", maxima.commandElements)
        document.member("limits") { member in
            member.object { member in
                member.member("cpuSeconds", maxima.cpu.inSeconds)
                member.member("memoryBytes", maxima.memoryBytes)
                member.member("processes", maxima.processes)
                member.member("outputBytes", maxima.outputBytes)
                member.member("diskBytes", maxima.diskBytes)
                member.member("openFiles", maxima.openFiles)
            }
        }
    }
}
