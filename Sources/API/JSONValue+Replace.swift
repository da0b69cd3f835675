internal import JSON

extension JSONValue {
    /// Puts another value in a place that there has to be.
    mutating func replace(_ path: [String], with value: JSONValue) { replace(path[...], with: value) }

    private mutating func replace(_ path: ArraySlice<String>, with value: JSONValue) {
        guard let name = path.first else {
            self = value
            return
        }
        guard case .object(var object) = self, let index = object.members.firstIndex(where: { $0.name == name }) else {
            preconditionFailure("there is no \(name) to replace")
        }
        object.members[index].value.replace(path.dropFirst(), with: value)
        self = .object(object)
    }
}
