package import JSON
package import RunModel

/// The maxima and defaults of a server for the runs that clients request.
///
/// The maximum of each limit is a member of its own: `limits.memoryBytes` is the largest `memoryBytes` of a request.
@dynamicMemberLookup
package struct RequestLimits: Sendable {
    /// The limits of a run that requests none.
    package var defaults = Limits()
    /// The largest value of each limit that a run may request.
    package var maxima = Limits.defaultMaxima
    /// The largest `graceSeconds`.
    package var grace = Duration.seconds(60)
    /// The maximum number of elements of `command`.
    package var commandElements = 1024
    /// The maximum number of `files`.
    package var files = 1000
    /// The maximum number of entries of one archive in `files`.
    package var archiveEntries: Int { RunFile.maximumArchiveEntries }
    /// The maximum number of patterns in `artifacts`.
    package var artifactPatterns = 100
    /// The names of the root file systems from which `image` may choose.
    package var images = ["host"]
    /// A Boolean value indicating whether `network` may be `host`.
    package var allowsHostNetwork = false
    /// The allowed values of `network`.
    package var networks: [RunNetwork] { allowsHostNetwork ? RunNetwork.allCases : [.none] }
    /// The longest time that a client may wait for a run in one request.
    package var wait = Duration.seconds(300)

    /// Creates the default limits of the service.
    package init() {}

    /// The maximum of one limit.
    package subscript<Value>(dynamicMember limit: WritableKeyPath<Limits, Value>) -> Value {
        get { maxima[keyPath: limit] }
        set { maxima[keyPath: limit] = newValue }
    }

    /// Returns the faults of a run that was valid under other limits.
    package func faults(of run: RunSpecification) -> [JSONFault] {
        var faults: [JSONFault] = []
        func refuse(_ name: String, isLimit: Bool = false, _ detail: String) {
            let parent = isLimit ? JSONPointer.root.appending("limits") : .root
            faults.append(JSONFault(pointer: parent.appending(name), detail: detail))
        }
        for limit in Limits.table where limit.isLarger(run.limits, than: maxima) {
            refuse(limit.name, isLimit: !limit.isRunMember, "exceeds the maximum of this server")
        }
        if run.grace > grace { refuse("graceSeconds", "exceeds the maximum of this server") }
        if !images.contains(run.image) { refuse("image", "is no image of this server") }
        if !networks.contains(run.network) { refuse("network", "is not allowed on this server") }
        return faults
    }

    /// Lowers the defaults to the maxima.
    package mutating func lowerDefaults() { defaults.lowerFixedLimits(to: maxima) }
}

/// The capabilities of a server, as plain values.
package struct Capabilities: Sendable {
    /// The isolation that the host provides.
    package struct Isolation: Sendable {
        /// The kernel's release.
        package let kernel: String
        /// A Boolean value indicating whether a filter restricts system calls.
        package let filtersSystemCalls: Bool
        /// The ABI version of Landlock; `nil` where it is missing.
        package let landlockABI: Int?
        /// The control groups; `nil` where there are none.
        package let cgroups: ControlGroups?
        /// A Boolean value indicating whether each run has a host user of its own, and not the service's.
        package let hasOwnHostUsers: Bool

        package init(
            kernel: String,
            filtersSystemCalls: Bool,
            landlockABI: Int?,
            cgroups: ControlGroups?,
            hasOwnHostUsers: Bool
        ) {
            self.kernel = kernel
            self.filtersSystemCalls = filtersSystemCalls
            self.landlockABI = landlockABI
            self.cgroups = cgroups
            self.hasOwnHostUsers = hasOwnHostUsers
        }
    }

    /// The control groups of a host.
    package struct ControlGroups: Sendable {
        /// The version of the hierarchy: 1 or 2.
        package let version: Int
        /// The names of the limits that they enforce, such as `memory`.
        package let limits: [String]

        package init(version: Int, limits: [String]) {
            (self.version, self.limits) = (version, limits)
        }
    }

    /// The version of the service.
    package let version: String
    /// The receipt of a run that shares nothing with the host; `nil` where no run can be started.
    package let enforcement: Enforcement?
    /// The isolation that the host provides.
    package let isolation: Isolation
    /// The protections and limits that the host lacks.
    package let gaps: [GapDocument]
    /// The names of the root file systems from which a run may choose.
    package let images: [String]

    package init(
        version: String,
        enforcement: Enforcement?,
        isolation: Isolation,
        gaps: [GapDocument],
        images: [String]
    ) {
        self.version = version
        self.enforcement = enforcement
        self.isolation = isolation
        self.gaps = gaps
        self.images = images
    }
}

/// A feature that a host lacks: an entry of `gaps` in the capabilities and in the host report.
package struct GapDocument: JSONWritable, Sendable {
    /// The names of the missing features; several if they are missing for one reason.
    package let features: [String]
    /// The condition of the host that causes the gap.
    package let problem: String
    /// The consequence: the limits and protections that are not enforced.
    package let consequence: String
    /// The remedy.
    package let remedy: String

    package init(features: [String], problem: String, consequence: String, remedy: String) {
        self.features = features
        self.problem = problem
        self.consequence = consequence
        self.remedy = remedy
    }

    package func write(to writer: inout JSONWriter) {
        writer.object { document in
            document.member("features", features)
            document.member("what", problem)
            document.member("cost", consequence)
            document.member("remedy", remedy)
        }
    }
}

/// The response document of `GET /capabilities`.
package struct CapabilitiesDocument {
    let capabilities: Capabilities
    let maxima: RequestLimits
    private let maximumBodyBytes: Int
    private let maximumBlobBytes: Int

    /// - Parameters:
    ///   - capabilities: the capabilities of the server.
    ///   - maxima: the maxima and defaults for requested runs.
    ///   - maximumBodyBytes: the maximum size of a request body in bytes.
    ///   - maximumBlobBytes: the maximum size of a blob in bytes.
    package init(capabilities: Capabilities, maxima: RequestLimits, maximumBodyBytes: Int, maximumBlobBytes: Int) {
        (self.capabilities, self.maxima) = (capabilities, maxima)
        (self.maximumBodyBytes, self.maximumBlobBytes) = (maximumBodyBytes, maximumBlobBytes)
    }

    /// Renders the document as JSON text with a final line feed.
    package func render() -> [UInt8] {
        var writer = JSONWriter(capacity: 4096)
        writer.object { document in
            document.member("version", capabilities.version)
            document.member("enforcement") { $0.value(capabilities.enforcement.map(EnforcementDocument.init)) }
            // The contract's name of the host's isolation. Clients read it, so it stays.
            document.member("walls") { $0.object { write(capabilities.isolation, to: &$0) } }
            document.member("gaps") { gaps in
                gaps.array { elements in
                    for gap in capabilities.gaps { elements.value(gap) }
                }
            }
            document.member("defaults") { $0.object { writeDefaults(to: &$0) } }
            document.member("maxima") { $0.object { writeMaxima(to: &$0) } }
            document.member("images", capabilities.images)
            document.member("networks", maxima.networks.map(\.rawValue))
        }
        return writer.bytes + [UInt8(ascii: "\n")]
    }

    private func write(_ isolation: Capabilities.Isolation, to document: inout JSONWriter) {
        document.member("kernel", isolation.kernel)
        document.member("namespaces", ["user", "pid", "mount", "ipc", "uts", "cgroup", "network"])
        document.member("seccomp", isolation.filtersSystemCalls)
        document.member("landlock") { member in
            guard let abi = isolation.landlockABI else { return member.value(String?.none) }
            member.object { $0.member("abi", abi) }
        }
        document.member("cgroups") { member in
            guard let cgroups = isolation.cgroups else { return member.value(String?.none) }
            member.object { member in
                member.member("version", cgroups.version)
                member.member("limits", cgroups.limits)
            }
        }
        document.member("hostUsers", isolation.hasOwnHostUsers ? "each_its_own" : "own")
    }

    private func writeDefaults(to document: inout JSONWriter) {
        // The default that follows from the timeout may exceed the maximum, as in the decoder of requests.
        var limits = maxima.defaults
        limits.cpu = min(limits.cpu, maxima.maxima.cpu)
        limits.write(Limits.table.filter(\.isRunMember), to: &document)
        document.member("graceSeconds", 0)
        document.member("limits") { $0.object { limits.write(Limits.memberTable, to: &$0) } }
    }

    private func writeMaxima(to document: inout JSONWriter) {
        maxima.maxima.write(Limits.table.filter(\.isRunMember), to: &document)
        document.member("graceSeconds", maxima.grace.inSeconds)
        document.member("waitSeconds", maxima.wait.inSeconds)
        document.member("bodyBytes", maximumBodyBytes)
        document.member("commandElements", maxima.commandElements)
        document.member("files", maxima.files)
        document.member("archiveEntries", maxima.archiveEntries)
        document.member("blobBytes", maximumBlobBytes)
        document.member("limits") { $0.object { maxima.maxima.write(Limits.memberTable, to: &$0) } }
    }
}

extension JSONWriter {
    /// Writes a member that is an array of strings.
    mutating func member(_ name: String, _ texts: [String]) {
        member(name) { member in
            member.array { elements in for text in texts { elements.element(text) } }
        }
    }
}
