internal import JSON
internal import Reactor
internal import RunModel
internal import Service
internal import Store

/// A client's position in the events of a run: the `id` of an event, which a client sends back as `Last-Event-ID`.
///
/// The text `4096-12` means that the client has received 4,096 bytes of standard output and 12 of standard error.
/// The suffix `-end` means that it has received the end as well. Every server that knows the run understands the
/// position.
struct EventPosition: Equatable {
    var standardOutput = 0
    var standardError = 0
    /// True if the client has received the end: no event follows.
    var isEnd = false

    /// Creates the position before the first event.
    init() {}

    /// Parses a ``text``; `nil` if it is malformed.
    init?(_ text: String) {
        var parts = text.split(separator: "-", omittingEmptySubsequences: false)
        if parts.count == 3, parts[2] == "end" {
            isEnd = true
            parts.removeLast()
        }
        guard parts.count == 2, let output = Self.number(parts[0]), let error = Self.number(parts[1]) else {
            return nil
        }
        (standardOutput, standardError) = (output, error)
    }

    var text: String { "\(standardOutput)-\(standardError)\(isEnd ? "-end" : "")" }

    /// The offset in a stream.
    subscript(stream: OutputStream) -> Int {
        get { stream == .standardOutput ? standardOutput : standardError }
        set {
            switch stream {
            case .standardOutput: standardOutput = newValue
            case .standardError: standardError = newValue
            }
        }
    }

    /// Parses digits in the notation of `text`, so that each position has exactly one text.
    private static func number(_ digits: Substring) -> Int? {
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), digits == "0" || digits.utf8.first != 0x30 else {
            return nil
        }
        return Int(digits)
    }
}

/// The error of a read of output that was deleted meanwhile.
struct OutputMissing: Error {}

/// A reader of both output streams of a run, in the order in which the run wrote them, without splitting characters.
@ReactorActor
struct OutputCursor {
    /// The maximum number of bytes of one part.
    nonisolated static let maximumBytes = 16 << 10

    /// A part of one stream.
    struct Part {
        let stream: OutputStream
        let offset: Int
        let bytes: [UInt8]
    }

    private(set) var position: EventPosition
    /// The index of the first piece of the order that is not completely read.
    private var firstPiece = 0
    /// The number of joins of the order for which `firstPiece` is valid.
    private var joins = 0

    init(at position: EventPosition) { self.position = position }

    /// Returns the next part; `nil` if there is none yet.
    ///
    /// An incomplete character waits for its remaining bytes until the run is over. Other output does not wait for
    /// that character. Bytes that cannot be read any more, because they are not kept, are left out: the offset of the
    /// next part shows it.
    ///
    /// - Throws: `OutputMissing` if the output can no longer be read.
    mutating func next(in run: RunSubscription) throws(OutputMissing) -> Part? {
        let order = run.order
        let pieces = order.pieces
        if order.joins != joins { (firstPiece, joins) = (0, order.joins) }
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
        // The rest has no known order, or contains characters that a later piece completes.
        for stream in OutputStream.allCases {
            if let part = try read(stream, to: .max, in: run) { return part }
        }
        return nil
    }

    /// Returns whether the run is over and all its output is read.
    func isAtEnd(of run: RunSubscription) -> Bool {
        run.isComplete && OutputStream.allCases.allSatisfy { position[$0] >= run.endOffset(of: $0) }
    }

    private mutating func read(
        _ stream: OutputStream,
        to end: Int,
        in run: RunSubscription
    ) throws(OutputMissing) -> Part? {
        let readable = run.readable(stream, from: position[stream])
        let offset = readable.lowerBound
        let wanted = min(min(end, readable.upperBound) - offset, Self.maximumBytes)
        guard wanted > 0 else { return nil }
        var count: Int? = 0
        var bytes = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, initialized in
            count = run.read(stream, at: offset, into: UnsafeMutableRawBufferPointer(buffer))
            initialized = count ?? 0
        }
        guard count != nil else { throw OutputMissing() }
        let next = offset + bytes.count
        // No byte that follows directly can complete a character.
        let isLast = next == readable.upperBound && (run.isComplete || run.endOffset(of: stream) > next)
        if offset > position[stream], let rest = Self.restOfCharacter(bytes) {
            bytes = rest
        } else if !isLast {
            bytes.removeLast(bytes.count - UTF8Validation.lengthOfWholeCharacters(prefix: bytes))
        }
        guard !bytes.isEmpty else { return nil }
        position[stream] = offset + bytes.count
        return Part(stream: stream, offset: offset, bytes: bytes)
    }

    /// Returns the bytes at the beginning that belong to a character whose first byte was cut off; `nil` if there are
    /// none.
    private static func restOfCharacter(_ bytes: [UInt8]) -> [UInt8]? {
        let rest = bytes.prefix(3).prefix { $0 & 0xC0 == 0x80 }
        return rest.isEmpty ? nil : Array(rest)
    }
}
