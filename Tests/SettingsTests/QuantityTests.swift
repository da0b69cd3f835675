import Testing

@testable import Settings

@Suite struct QuantityTests {
    @Test(arguments: [
        ("0", Duration.zero), ("90", .seconds(90)), ("90s", .seconds(90)), ("5m", .seconds(300)),
        ("1.5h", .seconds(5400)), ("250ms", .milliseconds(250)), ("0.5", .milliseconds(500)), ("2d", .seconds(172_800)),
        ("007", .seconds(7)), ("0.0000000001", .nanoseconds(1)), ("0.5ms", .microseconds(500)), ("0h", .zero),
        ("36500d", .seconds(36500 * 86400)),
    ])
    func `a duration is a number of seconds or has a unit`(text: String, duration: Duration) {
        #expect(Quantity.duration(text) == duration)
    }

    @Test(arguments: [
        "", " ", "s", "ms", "-1", "+1", "1 s", " 1", "1 ", "1S", "5M", "1y", "1us", "1m30s", "1e3", "nan", "inf",
        "0x1p4",
        ".5", "1.", "1..5", "1,5", "1.5.5h", "36526d", "1e400", "99999999999999999999999999h", "٣", "1s\u{301}",
    ])
    func `another text is no duration`(text: String) {
        #expect(Quantity.duration(text) == nil)
    }

    @Test(arguments: [
        ("0", 0), ("65536", 65536), ("512M", 512 << 20), ("512m", 512 << 20), ("1G", 1 << 30), ("64KiB", 64 << 10),
        ("64kib", 64 << 10), ("1.5G", 3 << 29), ("0.5K", 512), ("2TiB", 2 << 40), ("9223372036854775807", .max),
        ("8388607T", 8_388_607 << 40), ("1.0", 1),
    ])
    func `a size is a number of bytes or has a unit`(text: String, bytes: Int) {
        #expect(Quantity.bytes(text) == bytes)
    }

    @Test(arguments: [
        "", " ", "M", "KiB", "-1", "+1", "-1K", "1 M", " 1M", "1M ", "1KB", "1MB", "1B", "1P", "1x", "1e3", "0x10",
        "nan",
        ".5G", "1.G", "1.5", "0.0001K", "1.5.5M", "9223372036854775808", "8388608T", "99999999999999999999G", "٣",
        "1iB",
    ])
    func `another text is no size`(text: String) {
        #expect(Quantity.bytes(text) == nil)
    }
}
