import Runs
import Testing

@testable import Store

@Suite struct OutputOrderTests {
    @Test func `what was written by turns can be replayed in that order`() {
        var order = OutputOrder()
        order.append(3, of: .standardOutput, at: time(1000))
        order.append(2, of: .standardError, at: time(1001))
        order.append(300, of: .standardOutput, at: time(2000))
        #expect(order.pieces.map(\.stream) == [.standardOutput, .standardError, .standardOutput])
        #expect(order.pieces.map(\.offset) == [0, 0, 3])
        #expect(order.pieces.map(\.length) == [3, 2, 300])
        #expect(OutputOrder(bytes: order.bytes).pieces == order.pieces)
    }

    @Test func `parts of one stream that come together are one piece`() {
        var order = OutputOrder()
        for millisecond in [0, 10, 49, 50] { order.append(1, of: .standardError, at: time(Int64(millisecond))) }
        #expect(order.pieces.map(\.length) == [3, 1])
    }

    @Test func `its size is bounded, and what comes later has no place in it`() {
        var order = OutputOrder()
        for index in 0..<10_000 {
            order.append(1, of: index % 2 == 0 ? .standardOutput : .standardError, at: time(Int64(index) * 1000))
        }
        #expect(order.pieces.count == OutputOrder.capacity)
        #expect(order.bytes.count < 8 * OutputOrder.capacity)
        #expect(OutputOrder(bytes: order.bytes).pieces == order.pieces)
    }

    @Test func `a clock that steps back does not change the order`() {
        var order = OutputOrder()
        order.append(1, of: .standardOutput, at: time(5000))
        order.append(1, of: .standardError, at: time(1000))
        let read = OutputOrder(bytes: order.bytes)
        #expect(read.pieces.map(\.stream) == [.standardOutput, .standardError])
        #expect(read.pieces.map(\.time) == [time(5000), time(5000)])
    }

    @Test(arguments: [[0x80], [5], [5, 0x80], [UInt8](repeating: 0xFF, count: 40)] as [[UInt8]])
    func `bytes that are no order are none`(bytes: [UInt8]) {
        #expect(OutputOrder(bytes: bytes).pieces.isEmpty)
    }

    private func time(_ milliseconds: Int64) -> Timestamp { Timestamp(millisecondsSince1970: milliseconds) }
}
