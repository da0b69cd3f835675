internal import CoreMetrics
internal import Synchronization

/// How many durations were at most so long.
///
/// Each one is two additions, from any thread.
final class HistogramSeries: Series, TimerHandler {
    private final class Tally: Sendable {
        let value = Atomic<UInt64>(0)
    }

    private let bounds: [Double]
    private let nanoseconds: [Int64]
    /// How many fell between two bounds; the last one is for those above all of them.
    private let tallies: [Tally]
    private let sum = Atomic<UInt64>(0)

    /// - Parameter bounds: seconds, ascending.
    init(bounds: [Double]) {
        self.bounds = bounds
        nanoseconds = bounds.map { Int64(($0 * 1e9).rounded()) }
        tallies = (0...bounds.count).map { _ in Tally() }
    }

    func recordNanoseconds(_ duration: Int64) {
        // A clock that was set back is nobody's fault here.
        let duration = max(duration, 0)
        var index = 0
        while index < nanoseconds.count, nanoseconds[index] < duration { index += 1 }
        tallies[index].value.wrappingAdd(1, ordering: .relaxed)
        sum.wrappingAdd(UInt64(duration), ordering: .relaxed)
    }

    func write(to text: inout TextFormat, name: String, labels: [(String, String)]) {
        // The count is what the buckets add up to, so that they agree whatever is being added meanwhile.
        var count: UInt64 = 0
        for (index, tally) in tallies.enumerated() {
            count += tally.value.load(ordering: .relaxed)
            let bound = index < bounds.count ? TextFormat.number(bounds[index]) : "+Inf"
            text.sample(name + "_bucket", labels + [("le", bound)], String(count))
        }
        text.sample(name + "_sum", labels, TextFormat.number(Double(sum.load(ordering: .relaxed)) / 1e9))
        text.sample(name + "_count", labels, String(count))
    }
}
