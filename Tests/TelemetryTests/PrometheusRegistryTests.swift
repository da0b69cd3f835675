import CoreMetrics
import Glibc
import Telemetry
import TestSupport
import Testing

@Suite struct PrometheusRegistryTests {
    private func text(_ registry: PrometheusRegistry) -> String { String(decoding: registry.render(), as: UTF8.self) }

    @Test func `the registry renders the text format in a stable order`() throws {
        let registry = PrometheusRegistry([
            MetricFamily("b_total", .counter, "Second."),
            MetricFamily("a_seconds", .histogram(bounds: [0.5, 1]), "First."),
            MetricFamily("never_used", .gauge, "Has no series."),
        ])
        let late = Counter(label: "b_total", dimensions: [("x", "2")], factory: registry)
        Counter(label: "b_total", dimensions: [("x", "1")], factory: registry).increment(by: 3)
        let timer = CoreMetrics.Timer(label: "a_seconds", factory: registry)
        for milliseconds in [500, 501, 3000] { timer.recordMilliseconds(milliseconds) }
        late.increment()
        #expect(
            text(registry) == """
                # HELP a_seconds First.
                # TYPE a_seconds histogram
                a_seconds_bucket{le="0.5"} 1
                a_seconds_bucket{le="1"} 2
                a_seconds_bucket{le="+Inf"} 3
                a_seconds_sum 4.001
                a_seconds_count 3
                # HELP b_total Second.
                # TYPE b_total counter
                b_total{x="1"} 3
                b_total{x="2"} 1

                """
        )
        _ = try MetricsText(text(registry))
    }

    @Test func `any text in a label or a help text is escaped`() throws {
        let hostile = "a\"b\\c\nd\\n{},= # \u{1F600}"
        let registry = PrometheusRegistry([MetricFamily("x_total", .counter, "one\ntwo \\ \"three\"")])
        Counter(label: "x_total", dimensions: [("k", hostile)], factory: registry).increment()
        let read = try MetricsText(text(registry))
        #expect(read.value("x_total", ["k": hostile]) == 1)
        #expect(read.families[0].help == #"one\ntwo \\ "three""#)
    }

    @Test func `a series that is created twice is the same series`() throws {
        let registry = PrometheusRegistry()
        for _ in 0..<2 {
            Counter(label: "x_total", dimensions: [("b", "2"), ("a", "1")], factory: registry).increment()
        }
        Counter(label: "x_total", dimensions: [("a", "1"), ("b", "2")], factory: registry).increment()
        try #expect(MetricsText(text(registry)).value("x_total", ["a": "1", "b": "2"]) == 3)
    }

    @Test func `a counter never decreases, and a gauge may`() throws {
        let registry = PrometheusRegistry()
        let counter = Counter(label: "x_total", factory: registry)
        counter.increment(by: 5)
        counter.increment(by: -3)
        let meter = Meter(label: "y", factory: registry)
        meter.set(2.5)
        meter.increment(by: 1.0)
        meter.decrement(by: 3.0)
        let read = try MetricsText(text(registry))
        #expect(read.value("x_total") == 5)
        #expect(read.value("y") == 0.5)
    }

    @Test(
        arguments: [
            (0, "0"), (1, "1"), (-2, "-2"), (0.005, "0.005"), (1_795_863_680.44, "1795863680.44"), (.infinity, "+Inf"),
            (-.infinity, "-Inf"), (.nan, "NaN"), (0x1p53, "9007199254740992.0"), (1e300, "1e+300"), (0.00001, "1e-05"),
        ] as [(Double, String)]
    )
    func `a number is rendered in the syntax of Prometheus`(value: Double, text expected: String) throws {
        let registry = PrometheusRegistry()
        Meter(label: "x", factory: registry).set(value)
        #expect(text(registry) == "# TYPE x gauge\nx \(expected)\n")
        let read = try MetricsText(text(registry)).value("x")
        #expect(read == value || (read?.isNaN == true && value.isNaN))
    }

    @Test func `a duration counts in the first bucket whose bound it does not exceed`() throws {
        let registry = PrometheusRegistry([MetricFamily("x_seconds", .histogram(bounds: [0.001, 0.01]), "")])
        let timer = CoreMetrics.Timer(label: "x_seconds", factory: registry)
        for nanoseconds in [-5, 0, 1_000_000, 1_000_001, 10_000_000, 10_000_001] as [Int64] {
            timer.recordNanoseconds(nanoseconds)
        }
        let read = try MetricsText(text(registry))
        #expect(read.value("x_seconds_bucket", ["le": "0.001"]) == 3)
        #expect(read.value("x_seconds_bucket", ["le": "0.01"]) == 5)
        #expect(read.value("x_seconds_count") == 6)
    }

    @Test func `concurrent increments are all counted, also while the registry renders`() async throws {
        let registry = PrometheusRegistry()
        let counter = Counter(label: "x_total", factory: registry)
        let meter = Meter(label: "y", factory: registry)
        let timer = CoreMetrics.Timer(label: "z_seconds", factory: registry)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    for _ in 0..<25_000 {
                        counter.increment()
                        meter.increment(by: 1.0)
                        timer.recordMilliseconds(1)
                    }
                }
            }
            group.addTask {
                for _ in 0..<200 { _ = try MetricsText(String(decoding: registry.render(), as: UTF8.self)) }
            }
            try await group.waitForAll()
        }
        let read = try MetricsText(text(registry))
        #expect(read.value("x_total") == 100_000)
        #expect(read.value("y") == 100_000)
        #expect(read.value("z_seconds_count") == 100_000)
        #expect(read.value("z_seconds_sum") == 100)
    }
}
