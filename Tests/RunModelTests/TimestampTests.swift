import Testing

@testable import RunModel

@Suite struct TimestampTests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"),
            (1, "1970-01-01T00:00:00.001Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_735_689_599_999, "2024-12-31T23:59:59.999Z"),
            (1_769_847_330_123, "2026-01-31T08:15:30.123Z"),
            (2_147_483_648_010, "2038-01-19T03:14:08.010Z"),
            (4_107_542_399_100, "2100-02-28T23:59:59.100Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ] as [(Int64, String)]
    )
    func `a time is written in UTC with milliseconds`(milliseconds: Int64, text: String) {
        #expect(Timestamp(millisecondsSince1970: milliseconds).description == text)
    }

    @Test func `a time before 1970 is written as such`() {
        #expect(Timestamp(millisecondsSince1970: -1).description == "1969-12-31T23:59:59.999Z")
    }

    @Test func `times sort by time`() {
        let times = [3, -5, 0].map { Timestamp(millisecondsSince1970: $0) }
        #expect(times.sorted().map(\.millisecondsSince1970) == [-5, 0, 3])
    }

    @Test func `now does not lie before this file was written`() {
        #expect(Timestamp.now > Timestamp(millisecondsSince1970: 1_735_689_600_000))
    }
}
