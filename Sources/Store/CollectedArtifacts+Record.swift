internal import Runs

extension RecordWriter {
    mutating func write(_ artifacts: CollectedArtifacts) {
        write(artifacts.kept.count)
        for artifact in artifacts.kept {
            write(artifact.path)
            write(artifact.bytes)
            write(artifact.sha256)
            write(artifact.isExecutable)
        }
        write(artifacts.omitted.count)
        for omitted in artifacts.omitted {
            write(omitted.path)
            write(omitted.reason.rawValue)
            write(omitted.detail)
        }
        write(artifacts.omittedCount)
    }
}

extension RecordReader {
    mutating func artifacts() throws(Damage) -> CollectedArtifacts {
        var artifacts = CollectedArtifacts.none
        for _ in 0..<max(try int(), 0) {
            let path = try text()
            let bytes = try int()
            let sha256 = try text()
            artifacts.kept.append(
                Artifact(path: path, bytes: bytes, sha256: sha256, isExecutable: try bool())
            )
        }
        for _ in 0..<max(try int(), 0) {
            let path = try text()
            guard let reason = OmittedArtifact.Reason(rawValue: try text()) else { throw Damage() }
            artifacts.omitted.append(OmittedArtifact(path: path, reason: reason, detail: try text()))
        }
        artifacts.omittedCount = try int()
        return artifacts
    }
}
