import Testing

@testable import API

@Suite struct DurationSecondsTests {
    @Test(
        arguments: [
            (.zero, 0), (.milliseconds(50), 0.05), (.nanoseconds(1), 1e-9), (.seconds(3600), 3600),
            (.seconds(1) + .nanoseconds(1), 1.000000001), (.milliseconds(-1500), -1.5),
            (.seconds(Int64.max), 9.223372036854775807e18),
        ] as [(Duration, Double)]
    )
    func `a duration is as many seconds as a person would write`(duration: Duration, seconds: Double) {
        #expect(duration.inSeconds == seconds)
    }
}
