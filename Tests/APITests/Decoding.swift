import JSON
import Runs

@testable import API

func decode(_ body: String, _ maxima: RequestMaxima = RequestMaxima()) throws(Problem) -> RunSpecification {
    try RunRequest.decode(Array(body.utf8), maxima: maxima).specification
}

/// What answers a body, or `nil` if it is accepted.
func problem(_ body: String) -> Problem? {
    do throws(Problem) {
        _ = try decode(body)
        return nil
    } catch {
        return error
    }
}

/// Where a body's faults are.
func pointers(_ body: String) -> [String] { problem(body)?.faults.map(\.pointer.description) ?? [] }

extension JSONValue {
    /// A member of an object.
    subscript(name: String) -> JSONValue? {
        if case .object(let object) = self { object[name] } else { nil }
    }

    static func number(_ literal: String) -> JSONValue? { JSONNumber(literal: literal).map { .number($0) } }
}
