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

    /// Lowers the defaults to the maxima.
    package mutating func lowerDefaults() { defaults.lowerFixedLimits(to: maxima) }
}
