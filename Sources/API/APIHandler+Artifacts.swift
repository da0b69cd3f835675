internal import Digests
internal import HTTPServer
internal import Reactor
internal import Runs
internal import Service
internal import Store

/// `GET /runs/{id}/artifacts/{path}`, `…/artifacts.tar`: what a run has kept.
extension APIHandler {
    func readArtifact(_ call: Call) throws(Problem) {
        let path = call.parameters["path"] ?? ""
        try withFinishedRun(call) { [service] run throws(Problem) in
            let kept = run.result?.artifacts.kept ?? []
            // By bytes: two paths that are the same to Unicode are two files.
            guard let artifact = kept.first(where: { $0.path.utf8.elementsEqual(path.utf8) }),
                let digest = SHA256Digest(hexadecimal: artifact.sha256)
            else {
                let hint = kept.isEmpty ? "; it has kept no files" : ""
                throw Problem(status: 404, detail: "Run \(run.id) has not kept a file \(path)\(hint).")
            }
            guard let blob = service.artifact(digest) else { throw Self.unknownBlob(digest) }
            call.exchange.respond(try Self.answer(call.request, blob, digest))
        }
    }

    func readArtifacts(_ call: Call) throws(Problem) {
        try withFinishedRun(call) { [service] run throws(Problem) in
            let archive = ArtifactArchive(run) { digest in service.artifact(digest)?.path }
            let headers = [
                HeaderField("Content-Type", "application/x-tar"),
                HeaderField("X-Content-Type-Options", "nosniff"),
                HeaderField("Content-Disposition", "attachment; filename=\"\(run.id).tar\""),
            ]
            call.exchange.respond(Response(status: 200, headers: headers), streaming: archive.makeBody())
        }
    }

    /// Does something with a run that is over: before that nothing is kept.
    private func withFinishedRun(
        _ call: Call,
        _ body: @escaping @Reactor (Run) throws(Problem) -> Void
    ) throws(Problem) {
        try withRun(call) { [self] run throws(Problem) in
            observer.note(run.id, of: call.exchange)
            guard run.state == .finished else {
                throw Problem(
                    status: 409,
                    detail: "Run \(run.id) is not finished: its files are kept when it is. "
                        + "Wait for it: GET /runs/\(run.id)?wait=30."
                )
            }
            // Whatever has been told of an end stays so.
            service.settle(run) { [self] in
                do throws(Problem) { try body(run) } catch { call.exchange.respond(error.response) }
                answered()
            }
        }
    }
}
