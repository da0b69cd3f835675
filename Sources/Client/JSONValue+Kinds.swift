internal import JSON

/// What a value is, or `nil` if it is something else: an answer may have more than is known here, and less.
extension JSONValue {
    var string: String? { if case .string(let text) = self { text } else { nil } }
    var object: JSONObject? { if case .object(let object) = self { object } else { nil } }
    var array: [JSONValue]? { if case .array(let elements) = self { elements } else { nil } }
    var integer: Int? { if case .number(let number) = self { number.integer.map(Int.init) } else { nil } }
    var double: Double? { if case .number(let number) = self { number.double } else { nil } }
    var bool: Bool? { if case .bool(let bool) = self { bool } else { nil } }
}
