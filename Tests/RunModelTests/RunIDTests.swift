import Testing

@testable import RunModel

@Suite struct RunIDTests {
    @Test(arguments: [
        "00000000000000000000000000", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "7ZZZZZZZZZZZZZZZZZZZZZZZZZ",
        "0123456789ABCDEFGHJKMNPQRS", "3TVWXYZ0000000000000000000",
    ])
    func `an id has the text that it was parsed from`(text: String) throws {
        #expect(try #require(RunID(text)).description == text)
    }

    @Test func `the first ten characters are the time, as in the specification's example`() {
        let id = RunID(milliseconds: 1_469_918_176_385, randomHigh: 0, randomLow: 0)
        #expect(id.description == "01ARYZ6S410000000000000000")
        #expect(id.milliseconds == 1_469_918_176_385)
    }

    @Test func `random ids survive their text form`() {
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
    func `any other text is refused`(text: String) {
        #expect(RunID(text) == nil)
    }

    @Test func `ids and their texts sort in the same order`() {
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

@Suite struct RunIDGeneratorTests {
    @Test func `ids of one millisecond rise and keep their time`() {
        var generator = RunIDGenerator()
        let now = Timestamp(millisecondsSince1970: 1_000_000)
        let ids = (0..<10_000).map { _ in generator.next(now: now) }
        #expect(zip(ids, ids.dropFirst()).allSatisfy { $0 < $1 })
        #expect(ids.allSatisfy { $0.milliseconds == 1_000_000 })
    }

    @Test func `ids rise when the clock steps back`() {
        var generator = RunIDGenerator()
        let times: [Int64] = [5000, 4000, 5000, 1, 5001, -1, 5001]
        let ids = times.map { generator.next(now: Timestamp(millisecondsSince1970: $0)) }
        #expect(zip(ids, ids.dropFirst()).allSatisfy { $0 < $1 })
        #expect(ids.map(\.milliseconds) == [5000, 5000, 5000, 5000, 5001, 5001, 5001])
    }

    @Test func `a time before 1970 counts as 1970`() {
        var generator = RunIDGenerator()
        #expect(generator.next(now: Timestamp(millisecondsSince1970: .min)).milliseconds == 0)
    }

    @Test func `two generators do not generate the same id`() {
        let now = Timestamp(millisecondsSince1970: 1_000_000)
        var generators = (RunIDGenerator(), RunIDGenerator())
        #expect(generators.0.next(now: now) != generators.1.next(now: now))
    }
}
