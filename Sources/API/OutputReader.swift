internal import HTTPServer
internal import Reactor
internal import Runs
internal import Service

/// Follows one stream of a run: its bytes as they are written, until the run is over.
@Reactor
final class OutputReader: RunFollower {
    private let run: FollowedRun
    private let stream: OutputStream
    private let woken: @Reactor () -> Void
    private weak var body: ResponseStream?
    private var offset = 0

    /// - Parameters:
    ///   - run: what is followed.
    ///   - stream: which of its streams.
    ///   - woken: called when there is more to send.
    init(_ run: FollowedRun, _ stream: OutputStream, woken: @escaping @Reactor () -> Void) {
        (self.run, self.stream, self.woken) = (run, stream, woken)
    }

    /// The body; it follows the run from now on until it is over.
    func makeBody() -> ResponseStream {
        let body = ResponseStream { buffer in Reactor.assumeIsolated { self.read(into: buffer) } }
        body.onEnd = { Reactor.assumeIsolated { self.run.remove(self) } }
        self.body = body
        run.add(self)
        return body
    }

    func wake() {
        body?.wake()
        woken()
    }

    private func read(into buffer: UnsafeMutableRawBufferPointer) -> ResponseStream.Part {
        guard let count = run.read(stream, at: offset, into: buffer), !run.isGone else { return .failure }
        offset += count
        guard count == 0 else { return .bytes(count) }
        return run.isComplete ? .end : .nothingYet
    }
}
