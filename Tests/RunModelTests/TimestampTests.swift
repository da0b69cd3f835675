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

    @Test(
        arguments: [
            ("2026-01-31T08:15:30Z", 1_769_847_330_000), ("2026-01-31t08:15:30.1z", 1_769_847_330_100),
            ("2026-01-31 08:15:30.1239Z", 1_769_847_330_123), ("2026-01-31T09:15:30+01:00", 1_769_847_330_000),
            ("2026-01-31T03:45:30.12-04:30", 1_769_847_330_120), ("1969-12-31T23:59:59.999Z", -1),
            ("2000-02-29T00:00:00Z", 951_782_400_000), ("2016-12-31T23:59:60Z", 1_483_228_800_000),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ] as [(String, Int64)]
    )
    func `a time of RFC 3339 is read`(text: String, milliseconds: Int64) {
        #expect(Timestamp(text)?.millisecondsSince1970 == milliseconds)
    }

    @Test(arguments: [
        "", "2026", "2026-01-31", "2026-01-31T08:15:30", "2026-01-31T08:15Z", "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z",
        "2026-01-31T24:00:00Z", "2026-01-31T00:60:00Z", "2026-01-31T00:00:61Z", "2026-01-31T00:00:00.Z",
        "2026-01-31T00:00:00+1:00", "2026-01-31T00:00:00+24:00", "2026-01-31T00:00:00+0100", "2026-01-31T00:00:00ZZ",
        " 2026-01-31T00:00:00Z", "2026-01-31T00:00:00Z ", "+026-01-31T00:00:00Z", "2026-1-31T00:00:00Z",
        "0000-01-01T00:00:00Z",
    ])
    func `other texts are no times`(text: String) {
        #expect(Timestamp(text) == nil)
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
