import RunModel
import Testing

@testable import Store

@Suite struct StreamInterleavingTests {
    @Test func `alternating output is replayed in its order`() {
        var interleaving = StreamInterleaving()
        interleaving.append(3, of: .standardOutput, at: time(1000))
        interleaving.append(2, of: .standardError, at: time(1001))
        interleaving.append(300, of: .standardOutput, at: time(2000))
        #expect(interleaving.pieces.map(\.stream) == [.standardOutput, .standardError, .standardOutput])
        #expect(interleaving.pieces.map(\.offset) == [0, 0, 3])
        #expect(interleaving.pieces.map(\.length) == [3, 2, 300])
        #expect(StreamInterleaving(bytes: interleaving.bytes).pieces == interleaving.pieces)
    }

    @Test func `output of one stream within 50 milliseconds is one piece`() {
        var interleaving = StreamInterleaving()
        for millisecond in [0, 10, 49, 50] { interleaving.append(1, of: .standardError, at: time(Int64(millisecond))) }
        #expect(interleaving.pieces.map(\.length) == [3, 1])
    }

    @Test func `the number of pieces is limited and later output is not recorded`() {
        var interleaving = StreamInterleaving()
        for index in 0..<10_000 {
            interleaving.append(1, of: index % 2 == 0 ? .standardOutput : .standardError, at: time(Int64(index) * 1000))
        }
        #expect(interleaving.pieces.count == StreamInterleaving.capacity)
        #expect(interleaving.bytes.count < 8 * StreamInterleaving.capacity)
        #expect(StreamInterleaving(bytes: interleaving.bytes).pieces == interleaving.pieces)
    }

    @Test func `pieces in the middle are joined where the end is kept`() {
        var interleaving = StreamInterleaving()
        let streams = [OutputStream.standardOutput, .standardError, .standardError]
        for index in 0..<10_000 {
            interleaving.append(2, of: streams[index % 3], at: time(Int64(index) * 1000), keepsEnd: true)
        }
        let pieces = interleaving.pieces
        #expect(pieces.count <= StreamInterleaving.capacity)
        #expect(interleaving.joins > 0)
        // Each byte is in one piece, and the last pieces are those that were appended last.
        for stream in OutputStream.allCases {
            var offset = 0
            for piece in pieces where piece.stream == stream {
                #expect(piece.offset == offset)
                offset += piece.length
            }
            #expect(offset == (stream == .standardOutput ? 6668 : 13_332))
        }
        #expect(pieces.suffix(300).map(\.stream) == (9700..<10_000).map { streams[$0 % 3] })
        #expect(pieces.prefix(300).map(\.stream) == (0..<300).map { streams[$0 % 3] })
        let read = StreamInterleaving(bytes: interleaving.bytes).pieces
        #expect(read.map(\.stream) == pieces.map(\.stream) && read.map(\.length) == pieces.map(\.length))
    }

    @Test func `a clock that is set back does not change the order`() {
        var interleaving = StreamInterleaving()
        interleaving.append(1, of: .standardOutput, at: time(5000))
        interleaving.append(1, of: .standardError, at: time(1000))
        let read = StreamInterleaving(bytes: interleaving.bytes)
        #expect(read.pieces.map(\.stream) == [.standardOutput, .standardError])
        #expect(read.pieces.map(\.time) == [time(5000), time(5000)])
    }

    @Test(arguments: [[0x80], [5], [5, 0x80], [UInt8](repeating: 0xFF, count: 40)] as [[UInt8]])
    func `damaged bytes decode to no pieces`(bytes: [UInt8]) {
        #expect(StreamInterleaving(bytes: bytes).pieces.isEmpty)
    }

    private func time(_ milliseconds: Int64) -> Timestamp { Timestamp(millisecondsSince1970: milliseconds) }
}
