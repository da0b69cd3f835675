import Testing

@testable import Runs

@Suite struct RunIDGeneratorTests {
    @Test func `ids of one millisecond rise and keep their time`() {
        var generator = RunIDGenerator()
        let now = Timestamp(millisecondsSince1970: 1_000_000)
        let ids = (0..<10_000).map { _ in generator.next(now: now) }
        #expect(zip(ids, ids.dropFirst()).allSatisfy { $0 < $1 })
        #expect(ids.allSatisfy { $0.milliseconds == 1_000_000 })
    }

    @Test func `a clock that steps back does not make ids fall`() {
        var generator = RunIDGenerator()
        let times: [Int64] = [5000, 4000, 5000, 1, 5001, -1, 5001]
        let ids = times.map { generator.next(now: Timestamp(millisecondsSince1970: $0)) }
        #expect(zip(ids, ids.dropFirst()).allSatisfy { $0 < $1 })
        #expect(ids.map(\.milliseconds) == [5000, 5000, 5000, 5000, 5001, 5001, 5001])
    }

    @Test func `a clock before 1970 counts as 1970`() {
        var generator = RunIDGenerator()
        #expect(generator.next(now: Timestamp(millisecondsSince1970: .min)).milliseconds == 0)
    }

    @Test func `two generators do not make the same id`() {
        let now = Timestamp(millisecondsSince1970: 1_000_000)
        var generators = (RunIDGenerator(), RunIDGenerator())
        #expect(generators.0.next(now: now) != generators.1.next(now: now))
    }
}
