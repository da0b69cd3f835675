public import CoreMetrics
internal import Locks

/// Keeps what swift-metrics' counters, meters and timers are told, and writes it down for Prometheus.
///
/// What is told costs an addition and takes no lock; only making a series, and writing all of them down, does. Labels are those
/// that the program makes: nothing that a client sends is to become one, or its memory grows with what clients invent.
public final class PrometheusRegistry: MetricsFactory {
    /// What ``render()`` gives, as an HTTP header says it.
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private struct Entry: Sendable {
        let family: MetricFamily
        /// Sorted by their labels.
        var series: [(labels: [(String, String)], values: any Series)] = []
    }

    private let entries: Lock<[String: Entry]>

    /// A registry of these families.
    ///
    /// Any other that the program uses is made when it is first used, without a help text: of a timer the bounds are
    /// Prometheus' usual ones.
    public init(_ families: [MetricFamily] = []) {
        var entries: [String: Entry] = [:]
        for family in families {
            precondition(entries[family.name] == nil, "the metric \(family.name) is there twice")
            entries[family.name] = Entry(family: family)
        }
        self.entries = Lock(entries)
    }

    /// All that there is, in the text format of version 0.0.4, sorted by name and labels.
    public func render() -> [UInt8] {
        let entries = entries.withLock { Array($0.values) }
        var text = TextFormat()
        for entry in entries.sorted(by: { $0.family.name < $1.family.name }) where !entry.series.isEmpty {
            text.begin(entry.family)
            for (labels, values) in entry.series {
                values.write(to: &text, name: entry.family.name, labels: labels)
            }
        }
        return text.bytes
    }

    // MARK: MetricsFactory

    /// A counter, or the one that has these labels already.
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(label, dimensions, or: .counter) { _ in CounterSeries() }
    }

    /// A gauge, or the one that has these labels already; of a family that is a counter, one that somebody else counts.
    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(label, dimensions, or: .gauge) { _ in GaugeSeries() }
    }

    /// A gauge that has the value that was recorded last.
    public func makeRecorder(
        label: String,
        dimensions: [(String, String)],
        aggregate: Bool
    ) -> any RecorderHandler {
        series(label, dimensions, or: .gauge) { _ in GaugeSeries() }
    }

    /// A histogram of durations, or the one that has these labels already.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        series(label, dimensions, or: .histogram(bounds: Self.usualBounds)) { kind -> HistogramSeries in
            guard case .histogram(let bounds) = kind else { preconditionFailure("the metric \(label) is no timer") }
            return HistogramSeries(bounds: bounds)
        }
    }

    /// Keeps it: what was counted stays true when nobody counts it any more.
    public func destroyCounter(_ handler: any CounterHandler) {}
    /// Keeps it.
    public func destroyMeter(_ handler: any MeterHandler) {}
    /// Keeps it.
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    /// Keeps it.
    public func destroyTimer(_ handler: any TimerHandler) {}

    private static let usualBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

    /// The series of these labels: one that is asked for twice is the same one.
    private func series<Values: Series>(
        _ name: String,
        _ dimensions: [(String, String)],
        or kind: MetricFamily.Kind,
        make: (MetricFamily.Kind) -> Values
    ) -> Values {
        let labels = dimensions.sorted { $0.0 < $1.0 }
        return entries.withLock { entries in
            var entry = entries[name] ?? Entry(family: MetricFamily(name, kind, ""))
            if let known = entry.series.first(where: { Self.areSame($0.labels, labels) }) {
                guard let values = known.values as? Values else {
                    preconditionFailure("the metric \(name) is another kind")
                }
                return values
            }
            let values = make(entry.family.kind)
            let place = entry.series.firstIndex { Self.precedes(labels, $0.labels) } ?? entry.series.endIndex
            entry.series.insert((labels, values), at: place)
            entries[name] = entry
            return values
        }
    }

    private static func areSame(_ left: [(String, String)], _ right: [(String, String)]) -> Bool {
        left.count == right.count && zip(left, right).allSatisfy { $0 == $1 }
    }

    private static func precedes(_ left: [(String, String)], _ right: [(String, String)]) -> Bool {
        left.lexicographicallyPrecedes(right) { $0 < $1 }
    }
}
