public import Runs

/// The most that a request may ask for, and what it gets when it asks for nothing.
public struct RequestMaxima: Sendable {
    /// The limits of a run that names none.
    public var defaults = Limits()
    /// The largest `timeoutSeconds`.
    public var timeout = Duration.seconds(3600)
    /// The largest `graceSeconds`.
    public var grace = Duration.seconds(60)
    /// The largest `limits.outputBytes`.
    public var outputBytes = 64 << 20
    /// The largest `limits.cpuSeconds`: four processors for the longest time.
    public var cpu = Duration.seconds(14400)
    /// The largest `limits.memoryBytes`.
    public var memoryBytes = 64 << 30
    /// The largest `limits.processes`.
    public var processes = 8192
    /// The largest `limits.diskBytes`.
    public var diskBytes = 64 << 30
    /// The largest `limits.openFiles`.
    public var openFiles = 65536
    /// The most elements of `command`.
    public var commandElements = 1024
    /// The most `files`.
    public var files = 1000
    /// The most patterns of `artifacts`.
    public var artifactPatterns = 100
    /// The names of the root file systems that `image` may choose from.
    public var images = ["host"]
    /// Whether `network` may be `host`.
    public var allowsHostNetwork = false
    /// What `network` may be.
    public var networks: [RunNetwork] { allowsHostNetwork ? RunNetwork.allCases : [.none] }
    /// The longest that a client may wait for a run in one request.
    public var wait = Duration.seconds(300)

    /// The defaults of the service.
    public init() {}

    /// Lowers what a run gets that asks for nothing to what it may have.
    public mutating func lowerDefaults() {
        defaults.timeout = min(defaults.timeout, timeout)
        defaults.memoryBytes = min(defaults.memoryBytes, memoryBytes)
        defaults.processes = min(defaults.processes, processes)
        defaults.outputBytes = min(defaults.outputBytes, outputBytes)
        defaults.diskBytes = min(defaults.diskBytes, diskBytes)
        defaults.openFiles = min(defaults.openFiles, openFiles)
    }
}
