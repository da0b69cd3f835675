internal import Glibc
internal import HTTPServer
internal import Reactor
internal import RunModel
internal import System

/// The body of `artifacts.tar`: the artifacts of one run, read from disk as the client takes them.
@ReactorActor
final class ArtifactArchive {
    private let blobPath: @ReactorActor (SHA256Digest) -> String?
    private let modified: Int
    private var remaining: ArraySlice<Artifact>
    /// Headers and padding that are sent before the file.
    private var blocks: ArraySlice<UInt8> = []
    private var file: OpenFile?
    /// The offsets of the part of the file that is not sent yet.
    private var rest: Range<Int> = 0..<0
    private var isAtEnd = false

    /// - Parameters:
    ///   - run: a finished run.
    ///   - blobPath: returns the path of a blob's file.
    init(_ run: Run, blobPath: @escaping @ReactorActor (SHA256Digest) -> String?) {
        self.blobPath = blobPath
        modified = Int((run.result?.finishedAt.millisecondsSince1970 ?? 0) / 1000)
        remaining = (run.result?.artifacts.kept ?? [])[...]
    }

    func makeBody() -> ResponseStream {
        ResponseStream { buffer in ReactorActor.assumeIsolated { self.read(into: buffer) } }
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
        // A file that is too short ends the response without its last chunk, so the client detects the truncation.
        guard count > 0 else { return .failure }
        rest = rest.lowerBound + count..<rest.upperBound
        if rest.isEmpty { endFile() }
        return .bytes(count)
    }

    private func beginNext() -> Bool {
        guard let artifact = remaining.popFirst() else {
            isAtEnd = true
            blocks = TarHeader.endOfArchive[...]
            return true
        }
        var kind = TarHeader.Kind.directory
        switch artifact.kind {
        case .regular(let bytes, let sha256, let isExecutable):
            guard let digest = SHA256Digest(hexadecimal: sha256), let path = blobPath(digest),
                let opened = try? OpenFile(path: path)
            else { return false }
            kind = .regular(bytes: bytes, isExecutable: isExecutable)
            if bytes > 0 { (file, rest) = (opened, 0..<bytes) }
        case .symbolicLink(let target): kind = .symbolicLink(target: target)
        case .directory: break
        }
        blocks = TarHeader(path: artifact.path, kind: kind, modified: modified).blocks[...]
        return true
    }

    private func endFile() {
        blocks = [UInt8](repeating: 0, count: TarHeader.padding(after: rest.upperBound))[...]
        file = nil
    }
}
