import Testing

@testable import Runs

@Suite struct RunIDTests {
    @Test(arguments: [
        "00000000000000000000000000", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "7ZZZZZZZZZZZZZZZZZZZZZZZZZ",
        "0123456789ABCDEFGHJKMNPQRS", "3TVWXYZ0000000000000000000",
    ])
    func `a text that is an id comes out as it went in`(text: String) throws {
        #expect(try #require(RunID(text)).description == text)
    }

    @Test func `the time stands in the first ten characters, as the specification's example has it`() {
        let id = RunID(milliseconds: 1_469_918_176_385, randomHigh: 0, randomLow: 0)
        #expect(id.description == "01ARYZ6S410000000000000000")
        #expect(id.milliseconds == 1_469_918_176_385)
    }

    @Test func `random parts come back from their text`() {
        for _ in 0..<1000 {
            let id = RunID(
                milliseconds: .random(in: 0..<(1 << 48)),
                randomHigh: .random(in: .min ... .max),
                randomLow: .random(in: .min ... .max)
            )
            #expect(RunID(id.description) == id)
        }
    }

    @Test(arguments: [
        "", "0", "0000000000000000000000000", "000000000000000000000000000", "80000000000000000000000000",
        "ZZZZZZZZZZZZZZZZZZZZZZZZZZ", "01arz3ndektsv4rrffq69g5fav", "01ARZ3NDEKTSV4RRFFQ69G5FAI",
        "01ARZ3NDEKTSV4RRFFQ69G5FAL", "01ARZ3NDEKTSV4RRFFQ69G5FAO", "01ARZ3NDEKTSV4RRFFQ69G5FAU",
        " 01ARZ3NDEKTSV4RRFFQ69G5FA", "01ARZ3NDEKTSV4RRFFQ69G5FA/", "01ARZ3NDEKTSV4RRFFQ69G5FA\0",
        "01ARZ3NDEKTSV4RRFFQ69G5Fé", "../../../../../../etc/passw",
    ])
    func `another text is no id`(text: String) {
        #expect(RunID(text) == nil)
    }

    @Test func `ids and their texts sort alike`() {
        let ids = (0..<1000).map { _ in
            RunID(
                milliseconds: .random(in: 0..<64),
                randomHigh: .random(in: 0..<4),
                randomLow: .random(in: .min ... .max)
            )
        }
        #expect(ids.sorted().map(\.description) == ids.map(\.description).sorted())
    }

    @Test func `the successor is one more, with a carry`() throws {
        let id = RunID(milliseconds: 5, randomHigh: 7, randomLow: .max)
        #expect(id.successor == RunID(milliseconds: 5, randomHigh: 8, randomLow: 0))
        #expect(try #require(id.successor) > id)
    }

    @Test func `the last id of a millisecond has no successor`() {
        #expect(RunID(milliseconds: 5, randomHigh: .max, randomLow: .max).successor == nil)
        #expect(RunID(milliseconds: 5, randomHigh: .max, randomLow: .max - 1).successor != nil)
    }
}
