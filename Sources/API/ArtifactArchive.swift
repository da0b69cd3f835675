internal import Digests
internal import Glibc
internal import HTTPServer
internal import Reactor
internal import Runs

/// The body of `artifacts.tar`: one file of a run after the other, read as the client takes it.
@Reactor
final class ArtifactArchive {
    private let path: @Reactor (SHA256Digest) -> String?
    private let modified: Int
    private var waiting: ArraySlice<Artifact>
    /// What comes next: headers and padding.
    private var blocks: ArraySlice<UInt8> = []
    /// The file behind them, and which part of it is still to come.
    private var file: OpenFile?
    private var rest: Range<Int> = 0..<0
    private var isAtEnd = false

    /// - Parameters:
    ///   - run: a finished run.
    ///   - path: where the blob with a digest is.
    init(_ run: Run, path: @escaping @Reactor (SHA256Digest) -> String?) {
        self.path = path
        modified = Int((run.result?.finishedAt.millisecondsSince1970 ?? 0) / 1000)
        waiting = (run.result?.artifacts.kept ?? [])[...]
    }

    func makeBody() -> ResponseStream {
        ResponseStream { buffer in Reactor.assumeIsolated { self.read(into: buffer) } }
    }

    private func read(into buffer: UnsafeMutableRawBufferPointer) -> ResponseStream.Part {
        if blocks.isEmpty, rest.isEmpty {
            guard !isAtEnd else { return .end }
            guard beginNext() else { return .failure }
        }
        if !blocks.isEmpty {
            let count = min(blocks.count, buffer.count)
            buffer.copyBytes(from: blocks.prefix(count))
            blocks = blocks.dropFirst(count)
            return .bytes(count)
        }
        guard let file else { return .failure }
        let count = pread(file.descriptor, buffer.baseAddress, min(rest.count, buffer.count), off_t(rest.lowerBound))
        // It is cut, and the client sees that: the last chunk is missing.
        guard count > 0 else { return .failure }
        rest = rest.lowerBound + count..<rest.upperBound
        if rest.isEmpty { endFile() }
        return .bytes(count)
    }

    private func beginNext() -> Bool {
        guard let artifact = waiting.popFirst() else {
            isAtEnd = true
            blocks = TarHeader.end[...]
            return true
        }
        guard let digest = SHA256Digest(hexadecimal: artifact.sha256), let path = path(digest),
            let opened = try? OpenFile(path: path)
        else { return false }
        let header = TarHeader(
            path: artifact.path,
            bytes: artifact.bytes,
            isExecutable: artifact.isExecutable,
            modified: modified
        )
        blocks = header.blocks[...]
        (file, rest) = (opened, 0..<artifact.bytes)
        return true
    }

    private func endFile() {
        blocks = [UInt8](repeating: 0, count: TarHeader.padding(behind: rest.upperBound))[...]
        file = nil
    }
}
