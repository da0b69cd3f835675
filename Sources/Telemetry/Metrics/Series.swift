internal import CoreMetrics
internal import Synchronization

/// The value of one metric family for one set of labels.
protocol Series: AnyObject, Sendable {
    /// Appends the sample lines.
    func write(to text: inout TextFormat, name: String, labels: [(String, String)])
}

/// A number that only grows.
///
/// An increment is one atomic addition, from any thread.
final class CounterSeries: Series, CounterHandler {
    private let value = Atomic<UInt64>(0)

    func increment(by amount: Int64) {
        // Prometheus takes a smaller value for a restart of the process.
        guard amount > 0 else { return }
        value.wrappingAdd(UInt64(amount), ordering: .relaxed)
    }

    func reset() { value.store(0, ordering: .relaxed) }

    func write(to text: inout TextFormat, name: String, labels: [(String, String)]) {
        text.sample(name, labels, String(value.load(ordering: .relaxed)))
    }
}

/// A number that is set, or a counter whose count comes from elsewhere.
final class GaugeSeries: Series, MeterHandler, RecorderHandler {
    private let bits = Atomic<UInt64>(Double.zero.bitPattern)

    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }
    func record(_ value: Int64) { set(value) }
    func record(_ value: Double) { set(value) }
    func increment(by amount: Double) { add(amount) }
    func decrement(by amount: Double) { add(-amount) }

    private func add(_ amount: Double) {
        var before = bits.load(ordering: .relaxed)
        while true {
            let after = (Double(bitPattern: before) + amount).bitPattern
            let result = bits.compareExchange(expected: before, desired: after, ordering: .relaxed)
            if result.exchanged { return }
            before = result.original
        }
    }

    func write(to text: inout TextFormat, name: String, labels: [(String, String)]) {
        text.sample(name, labels, TextFormat.number(Double(bitPattern: bits.load(ordering: .relaxed))))
    }
}

/// The number of durations up to each of several bounds.
///
/// Recording a duration takes two atomic additions, from any thread.
final class HistogramSeries: Series, TimerHandler {
    private final class Bucket: Sendable {
        let count = Atomic<UInt64>(0)
    }

    private let bounds: [Double]
    private let nanoseconds: [Int64]
    /// The durations between two neighboring bounds.
    ///
    /// The last bucket is for those above all bounds.
    private let buckets: [Bucket]
    private let sum = Atomic<UInt64>(0)

    /// - Parameter bounds: Bounds in seconds, ascending.
    init(bounds: [Double]) {
        self.bounds = bounds
        nanoseconds = bounds.map { Int64(($0 * 1e9).rounded()) }
        buckets = (0...bounds.count).map { _ in Bucket() }
    }

    func recordNanoseconds(_ duration: Int64) {
        // A duration is negative if the clock was set back meanwhile.
        let duration = max(duration, 0)
        var index = 0
        while index < nanoseconds.count, nanoseconds[index] < duration { index += 1 }
        buckets[index].count.wrappingAdd(1, ordering: .relaxed)
        sum.wrappingAdd(UInt64(duration), ordering: .relaxed)
    }

    func write(to text: inout TextFormat, name: String, labels: [(String, String)]) {
        // The total is the sum of the buckets. It agrees with them even if other threads record durations meanwhile.
        var count: UInt64 = 0
        for (index, bucket) in buckets.enumerated() {
            count += bucket.count.load(ordering: .relaxed)
            let bound = index < bounds.count ? TextFormat.number(bounds[index]) : "+Inf"
            text.sample(name + "_bucket", labels + [("le", bound)], String(count))
        }
        text.sample(name + "_sum", labels, TextFormat.number(Double(sum.load(ordering: .relaxed)) / 1e9))
        text.sample(name + "_count", labels, String(count))
    }
}

/// Prometheus' text format, version 0.0.4: <https://prometheus.io/docs/instrumenting/exposition_formats/>.
struct TextFormat {
    private(set) var bytes: [UInt8] = []

    init() { bytes.reserveCapacity(16 << 10) }

    /// Appends the `HELP` and `TYPE` lines of a family.
    mutating func begin(_ family: MetricFamily) {
        if !family.help.isEmpty {
            append("# HELP \(family.name) ")
            appendEscaped(family.help, quotes: false)
            append("\n")
        }
        append("# TYPE \(family.name) \(family.kind.name)\n")
    }

    /// Appends a sample line.
    mutating func sample(_ name: String, _ labels: [(String, String)], _ value: String) {
        append(name)
        for (index, label) in labels.enumerated() {
            append(index == 0 ? "{" : ",")
            append(label.0)
            append("=\"")
            appendEscaped(label.1, quotes: true)
            append("\"")
        }
        append(labels.isEmpty ? " " : "} ")
        append(value)
        append("\n")
    }

    /// Returns a number in the syntax of Go's ParseFloat, without a fraction if it is whole.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        // Below 2^53 a Double represents every whole number exactly.
        if value == value.rounded(), abs(value) < 0x1p53 { return String(Int64(value)) }
        return String(value)
    }

    private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

    private mutating func appendEscaped(_ text: String, quotes: Bool) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): append("\\\\")
            case UInt8(ascii: "\n"): append("\\n")
            case UInt8(ascii: "\"") where quotes: append("\\\"")
            default: bytes.append(byte)
            }
        }
    }
}
