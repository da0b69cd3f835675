internal import HTTPServer
internal import Reactor
internal import RunModel
internal import Service
internal import Store
internal import System

/// The handler of `GET /runs/{id}/artifacts/{path}` and `…/artifacts.tar`.
@ReactorActor
struct ArtifactsHandler {
    let service: RunService
    let observer: RequestObserver

    func read(_ request: AuthenticatedRequest) async throws(Problem) -> Reply.Content {
        let run = try await finishedRun(of: request)
        let path = request.parameters["path"] ?? ""
        let kept = run.result?.artifacts.kept ?? []
        // Compared by bytes: two paths that are canonically equivalent in Unicode are two files.
        guard let artifact = kept.first(where: { $0.path.utf8.elementsEqual(path.utf8) }) else {
            let explanation =
                kept.isEmpty ? "Run \(run.id) has no artifacts." : "Run \(run.id) has no artifact \(path)."
            throw Problem(status: 404, detail: kept.isEmpty ? "\(explanation) It did not keep \(path)." : explanation)
        }
        guard let digest = artifact.sha256.flatMap(SHA256Digest.init(hexadecimal:)) else {
            throw Problem(status: 404, detail: Self.absenceOfContent(artifact))
        }
        guard let blob = service.blobs.findArtifact(digest) else { throw .unknownBlob(digest) }
        return .response(try BlobsHandler.content(of: blob, digest).response(to: request.http))
    }

    /// Explains why an artifact that is not a file has no content.
    private static func absenceOfContent(_ artifact: Artifact) -> String {
        if case .symbolicLink(let target) = artifact.kind {
            return "The artifact \(artifact.path) is a symbolic link to \(target), and no link is followed."
        }
        return "The artifact \(artifact.path) is a directory."
    }

    func readAll(_ request: AuthenticatedRequest) async throws(Problem) -> Reply.Content {
        let run = try await finishedRun(of: request)
        let archive = ArtifactArchive(run) { [blobs = service.blobs] digest in blobs.findArtifact(digest)?.path }
        let headers = [
            HeaderField("Content-Type", "application/x-tar"),
            HeaderField("X-Content-Type-Options", "nosniff"),
            HeaderField("Content-Disposition", "attachment; filename=\"\(run.id).tar\""),
        ]
        return .stream(Response(status: 200, headers: headers), archive.makeBody())
    }

    /// Returns the run of a request when its end is persistent.
    ///
    /// - Throws: a 409 problem if the run is not finished, because its artifacts are collected at its end.
    private func finishedRun(of request: AuthenticatedRequest) async throws(Problem) -> Run {
        let run = try await service.run(of: request)
        observer.record(run.id, of: request.exchange)
        guard run.state == .finished else {
            throw Problem(
                status: 409,
                detail: "Run \(run.id) is not finished, and its artifacts are collected at its end. "
                    + "Wait for it with GET /runs/\(run.id)?wait=30."
            )
        }
        await service.persisted(run)
        return run
    }
}
