public import Runs

/// In which order a run wrote to its two streams: pieces that follow one another, each of one stream.
///
/// Of bounded size. What comes after the last piece is of unknown order: all of standard output, then all of standard
/// error.
public struct OutputOrder: Sendable, Hashable {
    /// Bytes of one stream that were written one after the other.
    public struct Piece: Sendable, Hashable {
        /// When the first of them was read.
        public let time: Timestamp
        /// The stream.
        public let stream: OutputStream
        /// Where in the stream it begins.
        public let offset: Int
        /// How many bytes it has.
        public fileprivate(set) var length: Int
    }

    /// The most pieces.
    static let capacity = 2048
    /// Parts of one stream that come within this time are one piece, in milliseconds.
    private static let resolution: Int64 = 50

    /// The pieces, in order.
    public private(set) var pieces: [Piece] = []
    private var lengths: [Int] = [0, 0]
    /// Whether something came after the last piece that may be.
    private var isOver = false

    /// Nothing was written yet.
    public init() {}

    /// Adds bytes that were just read from a stream, and kept.
    public mutating func append(_ count: Int, of stream: OutputStream, at time: Timestamp) {
        guard count > 0, !isOver else { return }
        let index = Self.index(stream)
        let isContinued =
            pieces.last.map { last in
                last.stream == stream && last.offset + last.length == lengths[index]
                    && time.millisecondsSince1970 - last.time.millisecondsSince1970 < Self.resolution
            } ?? false
        if isContinued {
            pieces[pieces.count - 1].length += count
        } else if pieces.count < Self.capacity {
            pieces.append(Piece(time: time, stream: stream, offset: lengths[index], length: count))
        } else {
            isOver = true
            return
        }
        lengths[index] += count
    }

    private static func index(_ stream: OutputStream) -> Int { stream == .standardOutput ? 0 : 1 }

    // MARK: Bytes

    /// For each piece the milliseconds since the one before, and its length twice over with the stream as the last bit, as
    /// numbers of seven bits a byte (LEB128).
    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        var time: Int64 = 0
        for piece in pieces {
            // A clock that steps back does not make time negative.
            Self.write(UInt64(max(0, piece.time.millisecondsSince1970 - time)), to: &bytes)
            Self.write(UInt64(piece.length) << 1 | UInt64(Self.index(piece.stream)), to: &bytes)
            time = max(time, piece.time.millisecondsSince1970)
        }
        return bytes
    }

    /// Reads what ``bytes`` wrote; what cannot be read is of unknown order.
    init(bytes: [UInt8]) {
        var rest = bytes[...]
        var time: Int64 = 0
        while let delta = Self.read(&rest), let piece = Self.read(&rest), pieces.count < Self.capacity {
            time = time.addingReportingOverflow(Int64(truncatingIfNeeded: delta)).partialValue
            let index = Int(piece & 1)
            let length = Int(piece >> 1)
            pieces.append(
                Piece(
                    time: Timestamp(millisecondsSince1970: time),
                    stream: index == 0 ? .standardOutput : .standardError,
                    offset: lengths[index],
                    length: length
                )
            )
            lengths[index] = lengths[index].addingReportingOverflow(length).partialValue
        }
    }

    private static func write(_ number: UInt64, to bytes: inout [UInt8]) {
        var rest = number
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    private static func read(_ bytes: inout ArraySlice<UInt8>) -> UInt64? {
        var number: UInt64 = 0
        var shift = 0
        while let byte = bytes.popFirst(), shift < 63 {
            number |= UInt64(byte & 0x7F) << UInt64(shift)
            if byte < 0x80 { return number }
            shift += 7
        }
        return nil
    }
}
