package import RunAPI
package import Sandbox

extension Capabilities {
    /// Creates the capabilities of a server on a host.
    ///
    /// - Parameters:
    ///   - version: the version of the service.
    ///   - report: the report on the host.
    ///   - images: the names of the root file systems from which a run may choose.
    package init(version: String, report: HostReport, images: [String]) {
        let (host, support) = (report.host, report.support)
        let hasLandlock = support?.protections.contains(.landlock) ?? false
        let cgroups = support.flatMap { support in
            support.cgroups.version.map { version in
                ControlGroups(
                    version: Int(version.rawValue),
                    limits: HostFeature.allCases.filter { support.cgroups.enforces($0) }.map(\.rawValue)
                )
            }
        }
        self.init(
            version: version,
            enforcement: support?.enforcement,
            isolation: Isolation(
                kernel: host.kernel,
                filtersSystemCalls: support?.protections.contains(.systemCallFilter) ?? false,
                landlockABI: hasLandlock ? host.landlockABI : nil,
                cgroups: cgroups,
                hasOwnHostUsers: host.isRoot
            ),
            gaps: report.gaps.map(GapDocument.init),
            images: images
        )
    }
}

extension GapDocument {
    /// Creates the document of a gap.
    package init(_ gap: Gap) {
        self.init(features: gap.features.map(\.rawValue), problem: gap.problem, cost: gap.cost, remedy: gap.remedy)
    }
}
