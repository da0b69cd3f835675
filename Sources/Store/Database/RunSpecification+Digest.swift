package import RunModel
package import System

extension RunSpecification {
    /// The digest by which an earlier result of the same run is found.
    ///
    /// Two specifications have the same digest if they agree in command, environment, working directory, input,
    /// limits, grace period, output limit policy, image and network. Labels and trace do not count, because they serve
    /// to find a run. An image counts by its name.
    package var digest: SHA256Digest {
        var same = self
        same.labels = [:]
        same.trace = nil
        // A variable that is set to its default makes no difference.
        same.environment = same.fullEnvironment
        return SHA256Digest(of: same.record)
    }
}
