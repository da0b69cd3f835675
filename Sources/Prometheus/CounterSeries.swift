internal import CoreMetrics
internal import Synchronization

/// A number that grows.
///
/// An addition without a lock, from any thread.
final class CounterSeries: Series, CounterHandler {
    private let value = Atomic<UInt64>(0)

    func increment(by amount: Int64) {
        // Whoever scrapes takes a smaller value for a restart.
        guard amount > 0 else { return }
        value.wrappingAdd(UInt64(amount), ordering: .relaxed)
    }

    func reset() { value.store(0, ordering: .relaxed) }

    func write(to text: inout TextFormat, name: String, labels: [(String, String)]) {
        text.sample(name, labels, String(value.load(ordering: .relaxed)))
    }
}
