internal import JSON
internal import Reactor
internal import Runs
internal import Service
internal import Store

/// Goes through what a run wrote to both streams, in the order in which it wrote it, without splitting characters.
@Reactor
struct OutputCursor {
    /// The most bytes of one part.
    nonisolated static let mostBytes = 16 << 10

    /// Bytes of one stream.
    struct Part {
        let stream: OutputStream
        let offset: Int
        let bytes: [UInt8]
    }

    /// What has been read.
    private(set) var position: EventPosition
    /// Pieces of the order before this one have been read.
    private var firstPiece = 0

    init(at position: EventPosition) { self.position = position }

    /// The next bytes; none if there are none now.
    ///
    /// A character of which the end is missing waits for it until the run is over. Other output does not wait for it.
    ///
    /// - Returns: the bytes, or `nil`.
    /// - Throws: if they cannot be read any more.
    mutating func next(in run: FollowedRun) throws(OutputMissing) -> Part? {
        let pieces = run.order.pieces
        var index = firstPiece
        while index < pieces.count {
            let piece = pieces[index]
            let end = piece.offset + piece.length
            if position[piece.stream] >= end {
                if index == firstPiece { firstPiece += 1 }
            } else if let part = try read(piece.stream, to: end, in: run) {
                return part
            }
            index += 1
        }
        // What is of unknown order, and what a later piece has the rest of.
        for stream in OutputStream.allCases {
            if let part = try read(stream, to: run.count(of: stream), in: run) { return part }
        }
        return nil
    }

    /// Whether there is nothing more, and nothing more comes.
    func isAtEnd(of run: FollowedRun) -> Bool {
        run.isComplete && OutputStream.allCases.allSatisfy { position[$0] >= run.count(of: $0) }
    }

    private mutating func read(
        _ stream: OutputStream,
        to end: Int,
        in run: FollowedRun
    ) throws(OutputMissing) -> Part? {
        let offset = position[stream]
        let wanted = min(end - offset, Self.mostBytes)
        guard wanted > 0 else { return nil }
        var count: Int? = 0
        var bytes = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, initialized in
            count = run.read(stream, at: offset, into: UnsafeMutableRawBufferPointer(buffer))
            initialized = count ?? 0
        }
        guard count != nil else { throw OutputMissing() }
        let isLast = run.isComplete && offset + bytes.count == run.count(of: stream)
        if !isLast { bytes.removeLast(bytes.count - UTF8Validation.lengthOfWholeCharacters(prefix: bytes)) }
        guard !bytes.isEmpty else { return nil }
        position[stream] = offset + bytes.count
        return Part(stream: stream, offset: offset, bytes: bytes)
    }
}
