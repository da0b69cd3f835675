internal import Runs

/// What is kept of a run's files so far, and what was left out.
struct ArtifactTally {
    /// The most that are named of those that were left out, and the most bytes of their paths.
    private static let mostNamed = 100
    private static let mostNamedBytes = 16 << 10
    /// The most bytes of the paths of those that are kept: they stand in every answer about the run.
    private static let mostPathBytes = 128 << 10

    private let limits: ArtifactLimits
    private(set) var artifacts = CollectedArtifacts.none
    private var totalBytes = 0
    private var pathBytes = 0
    private var namedBytes = 0

    init(_ limits: ArtifactLimits) { self.limits = limits }

    /// Why a file of a size cannot be kept beside the others; `nil`: it can.
    func obstacle(to path: String, bytes: Int) -> (OmittedArtifact.Reason, String)? {
        if artifacts.kept.count >= limits.count {
            return (.tooMany, "a run may keep \(limits.count) files (--max-artifacts)")
        }
        if path.utf8.count > Self.mostPathBytes - pathBytes {
            return (.tooMany, "the paths of what a run keeps may have \(Self.mostPathBytes) bytes together")
        }
        if bytes > limits.bytes {
            return (
                .tooLarge, "it has \(bytes) bytes; a file that is kept may have \(limits.bytes) (--max-artifact-bytes)"
            )
        }
        if bytes > limits.totalBytes - totalBytes {
            return (
                .totalTooLarge,
                "it has \(bytes) bytes; what a run keeps may have \(limits.totalBytes) together (--max-artifacts-bytes)"
            )
        }
        return nil
    }

    mutating func keep(_ artifact: Artifact) {
        artifacts.kept.append(artifact)
        totalBytes += artifact.bytes
        pathBytes += artifact.path.utf8.count
    }

    mutating func leaveOut(_ path: String, _ reason: OmittedArtifact.Reason, _ detail: String) {
        artifacts.omittedCount += 1
        guard artifacts.omitted.count < Self.mostNamed, path.utf8.count <= Self.mostNamedBytes - namedBytes else {
            return
        }
        namedBytes += path.utf8.count
        artifacts.omitted.append(OmittedArtifact(path: path, reason: reason, detail: detail))
    }
}
