/// What stood in the places of a pattern's parameters, decoded.
///
/// Two lists and not a dictionary, which would be made and hashed for every request: a pattern has one or two.
public struct RouteParameters: Equatable, Sendable {
    private let names: [String]
    private let values: [String]

    init(names: [String], values: [String]) {
        self.names = names
        self.values = values
    }

    /// The value of the parameter of that name; nil if the pattern has none.
    public subscript(_ name: String) -> String? {
        names.firstIndex(of: name).map { values[$0] }
    }
}

extension RouteParameters: ExpressibleByDictionaryLiteral {
    /// Writes them down, in the order of the pattern.
    public init(dictionaryLiteral elements: (String, String)...) {
        self.init(names: elements.map(\.0), values: elements.map(\.1))
    }
}
