public import Digests
public import Runs

extension RunSpecification {
    /// The same for the very same run: command, environment, working directory, input, limits, grace, what happens past the
    /// output's limit, image and network.
    ///
    /// Labels and the trace do not count: they are for finding it. An image counts by its name.
    public var digest: SHA256Digest {
        var same = self
        same.labels = [:]
        same.trace = nil
        // One that is set to what it is anyway makes no difference.
        same.environment = same.fullEnvironment
        return SHA256Digest(of: same.record)
    }
}
