package import CoreMetrics
internal import System

/// A registry of swift-metrics' counters, meters and timers that renders them for Prometheus.
///
/// Recording a value costs an atomic addition and takes no lock. Only creating a series and rendering take the lock.
/// Labels must come from the program, never from a client: otherwise clients could make the memory grow without limit.
package final class PrometheusRegistry: MetricsFactory {
    /// The media type of ``render()``'s result, for the `Content-Type` header.
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private struct Entry: Sendable {
        let family: MetricFamily
        /// The series, sorted by their labels.
        var series: [(labels: [(String, String)], values: any Series)] = []
    }

    private let entries: Lock<[String: Entry]>

    /// Creates a registry of these families.
    ///
    /// The registry adds any other family at its first use, without a help text. The bounds of such a timer are
    /// Prometheus' usual ones.
    package init(_ families: [MetricFamily] = []) {
        var entries: [String: Entry] = [:]
        for family in families {
            precondition(entries[family.name] == nil, "the metric \(family.name) is declared twice")
            entries[family.name] = Entry(family: family)
        }
        self.entries = Lock(entries)
    }

    /// Renders all series in the text format, version 0.0.4, sorted by name and labels.
    package func render() -> [UInt8] {
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

    /// Returns the counter with these labels, and creates it if needed.
    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(label, dimensions, or: .counter) { _ in CounterSeries() }
    }

    /// Returns the gauge with these labels, and creates it if needed.
    ///
    /// In a family of counters it is a counter whose count comes from elsewhere.
    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(label, dimensions, or: .gauge) { _ in GaugeSeries() }
    }

    /// Returns a gauge with the last recorded value.
    package func makeRecorder(
        label: String,
        dimensions: [(String, String)],
        aggregate: Bool
    ) -> any RecorderHandler {
        series(label, dimensions, or: .gauge) { _ in GaugeSeries() }
    }

    /// Returns the histogram of durations with these labels, and creates it if needed.
    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        series(label, dimensions, or: .histogram(bounds: Self.usualBounds)) { kind -> HistogramSeries in
            guard case .histogram(let bounds) = kind else { preconditionFailure("the metric \(label) is not a timer") }
            return HistogramSeries(bounds: bounds)
        }
    }

    /// Does nothing: a count stays valid after its last increment.
    package func destroyCounter(_ handler: any CounterHandler) {}
    /// Does nothing, like ``destroyCounter(_:)``.
    package func destroyMeter(_ handler: any MeterHandler) {}
    /// Does nothing, like ``destroyCounter(_:)``.
    package func destroyRecorder(_ handler: any RecorderHandler) {}
    /// Does nothing, like ``destroyCounter(_:)``.
    package func destroyTimer(_ handler: any TimerHandler) {}

    private static let usualBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

    /// Returns the one series with these labels.
    private func series<Values: Series>(
        _ name: String,
        _ dimensions: [(String, String)],
        or kind: MetricFamily.Kind,
        make: (MetricFamily.Kind) -> Values
    ) -> Values {
        let labels = dimensions.sorted { $0.0 < $1.0 }
        return entries.withLock { entries in
            var entry = entries[name] ?? Entry(family: MetricFamily(name, kind, ""))
            if let existing = entry.series.first(where: { Self.areSame($0.labels, labels) }) {
                guard let values = existing.values as? Values else {
                    preconditionFailure("the metric \(name) has another kind")
                }
                return values
            }
            let values = make(entry.family.kind)
            let index = entry.series.firstIndex { Self.precedes(labels, $0.labels) } ?? entry.series.endIndex
            entry.series.insert((labels, values), at: index)
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

/// The name, kind and help text that all values of one metric share.
package struct MetricFamily: Sendable, Hashable {
    /// The kind of a value.
    package enum Kind: Sendable, Hashable {
        /// A number that only grows and starts at zero with the process.
        case counter
        /// A number that goes up and down.
        case gauge
        /// The number of durations up to each bound; the bounds are in seconds, ascending, without infinity.
        case histogram(bounds: [Double])

        var name: String {
            switch self {
            case .counter: "counter"
            case .gauge: "gauge"
            case .histogram: "histogram"
            }
        }
    }

    /// The name, according to <https://prometheus.io/docs/practices/naming/>.
    package let name: String
    /// The kind of the values.
    package let kind: Kind
    /// The help text: one sentence.
    package let help: String

    package init(_ name: String, _ kind: Kind, _ help: String) {
        self.name = name
        self.kind = kind
        self.help = help
    }
}
