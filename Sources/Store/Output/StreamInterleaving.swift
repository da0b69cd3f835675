package import RunModel

/// The order in which a run wrote to its two output streams: a sequence of pieces, each of one stream.
///
/// The number of pieces is limited. Beyond it, either the order of further output is unknown, and a reader takes all of
/// standard output first, then all of standard error; or pieces in the middle are joined, for a run whose last output is
/// kept.
package struct StreamInterleaving: Sendable, Hashable {
    /// Consecutive bytes of one stream.
    package struct Piece: Sendable, Hashable {
        /// The time at which the server read the first byte.
        package let time: Timestamp
        /// The stream of these bytes.
        package let stream: OutputStream
        /// The offset of the first byte in the stream.
        package let offset: Int
        /// The number of bytes.
        package fileprivate(set) var length: Int
    }

    /// The maximum number of pieces.
    static let capacity = 2048
    /// The time in milliseconds within which consecutive output of one stream is one piece.
    private static let resolution: Int64 = 50

    /// The pieces, in the order of their output.
    package private(set) var pieces: [Piece] = []
    /// The number of times that pieces were joined, which changes the indices of all later ones.
    package private(set) var joins = 0
    private var lengths: [Int] = [0, 0]
    /// True if more output arrived after the maximum number of pieces was reached.
    private var isFull = false

    /// Creates the interleaving of empty output.
    package init() {}

    /// Appends output that the server just read and recorded.
    ///
    /// - Parameters:
    ///   - count: the number of bytes.
    ///   - stream: the stream of the bytes.
    ///   - time: the current time.
    ///   - keepsEnd: whether pieces in the middle are joined to have room for this one.
    package mutating func append(_ count: Int, of stream: OutputStream, at time: Timestamp, keepsEnd: Bool = false) {
        guard count > 0, !isFull else { return }
        if keepsEnd, pieces.count == Self.capacity { joinMiddle() }
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
            isFull = true
            return
        }
        lengths[index] += count
    }

    /// Joins the pieces of the third quarter to one piece of each stream.
    private mutating func joinMiddle() {
        let middle = Self.capacity / 2..<Self.capacity * 3 / 4
        let joined = OutputStream.allCases.compactMap { stream -> Piece? in
            let parts = pieces[middle].filter { $0.stream == stream }
            guard var first = parts.first else { return nil }
            first.length = parts.reduce(0) { $0 + $1.length }
            return first
        }
        pieces.replaceSubrange(middle, with: joined)
        joins += 1
    }

    private static func index(_ stream: OutputStream) -> Int { stream == .standardOutput ? 0 : 1 }

    // MARK: Encoding

    /// The value of the `output_order` column: two LEB128 numbers per piece.
    ///
    /// The first is the time in milliseconds since the previous piece. The second is twice the length, plus 1 for
    /// standard error.
    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        var time: Int64 = 0
        for piece in pieces {
            // The difference is negative if the clock was set back.
            Self.write(UInt64(max(0, piece.time.millisecondsSince1970 - time)), to: &bytes)
            Self.write(UInt64(piece.length) << 1 | UInt64(Self.index(piece.stream)), to: &bytes)
            time = max(time, piece.time.millisecondsSince1970)
        }
        return bytes
    }

    /// Decodes ``bytes``; the order of the output is unknown from the first damaged piece on.
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
