internal import RunModel
internal import System

/// The artifacts of one run that were kept or omitted so far, checked against the limits.
struct ArtifactTally {
    /// The maximum number of omitted files that are listed.
    private static let maximumListed = 100
    /// The maximum number of bytes of the paths of all listed omitted files.
    private static let maximumListedBytes = 16 << 10
    /// The maximum number of bytes of the paths of all kept files, which are part of every response about the run.
    private static let maximumPathBytes = 128 << 10

    private let limits: ArtifactLimits
    private(set) var artifacts = CollectedArtifacts.none
    private var totalBytes = 0
    private var pathBytes = 0
    private var listedBytes = 0

    init(_ limits: ArtifactLimits) { self.limits = limits }

    /// Returns the reason why a file of `bytes` bytes cannot be kept in addition to the others; `nil` if it can.
    func obstacle(to path: String, bytes: Int) -> (OmittedArtifact.Reason, String)? {
        if artifacts.kept.count >= limits.count {
            return (.tooMany, "a run keeps at most \(limits.count, counting: "file") (--max-artifacts)")
        }
        if path.utf8.count > Self.maximumPathBytes - pathBytes {
            return (.tooMany, "the paths of a run's artifacts may total at most \(Self.maximumPathBytes) bytes")
        }
        if bytes > limits.bytes {
            return (
                .tooLarge,
                "its size is \(bytes, counting: "byte"); one artifact may have at most \(limits.bytes) (--max-artifact-bytes)"
            )
        }
        if bytes > limits.totalBytes - totalBytes {
            return (
                .totalTooLarge,
                "its size is \(bytes, counting: "byte"); a run's artifacts may total at most \(limits.totalBytes) "
                    + "(--max-artifacts-bytes)"
            )
        }
        return nil
    }

    mutating func keep(_ artifact: Artifact) {
        artifacts.kept.append(artifact)
        totalBytes += artifact.bytes
        pathBytes += artifact.path.utf8.count
        if case .symbolicLink(let target) = artifact.kind { pathBytes += target.utf8.count }
    }

    mutating func omit(_ path: String, _ reason: OmittedArtifact.Reason, _ detail: String) {
        artifacts.omittedCount += 1
        let fits = path.utf8.count <= Self.maximumListedBytes - listedBytes
        guard artifacts.omitted.count < Self.maximumListed, fits else { return }
        listedBytes += path.utf8.count
        artifacts.omitted.append(OmittedArtifact(path: path, reason: reason, detail: detail))
    }
}
