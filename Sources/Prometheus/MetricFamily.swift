/// What all values of one name have in common: its kind, and what it means.
public struct MetricFamily: Sendable, Hashable {
    /// What kind of value it is.
    public enum Kind: Sendable, Hashable {
        /// Only ever grows; starts at zero with the process.
        case counter
        /// Goes up and down.
        case gauge
        /// How many durations were at most so long; the bounds are seconds, ascending, without infinity.
        case histogram(bounds: [Double])

        var name: String {
            switch self {
            case .counter: "counter"
            case .gauge: "gauge"
            case .histogram: "histogram"
            }
        }
    }

    /// Its name, by the rules of <https://prometheus.io/docs/practices/naming/>.
    public let name: String
    /// What kind of value it is.
    public let kind: Kind
    /// One sentence for people.
    public let help: String

    /// A family.
    public init(_ name: String, _ kind: Kind, _ help: String) {
        self.name = name
        self.kind = kind
        self.help = help
    }
}
