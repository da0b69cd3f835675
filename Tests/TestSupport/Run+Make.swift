package import JSON
package import RunModel

extension Run {
    package static func make() -> Run {
        Run(
            id: RunID("01ARYZ6S41TSV4RRFFQ69G5FAV") ?? .none,
            specification: RunSpecification(command: ["echo", "\"é\\"]),
            enforcement: .minimum,
            createdAt: Timestamp(millisecondsSince1970: 1000)
        )
    }

    package static func make(_ outcome: Outcome, usage: Usage? = nil) -> Run {
        var run = make()
        run.finish(Result(outcome: outcome, usage: usage, finishedAt: Timestamp(millisecondsSince1970: 9000)))
        return run
    }
}

extension RunID {
    /// An arbitrary id.
    package static var none: RunID {
        var ids = RunIDGenerator()
        return ids.next(now: Timestamp(millisecondsSince1970: 0))
    }
}

extension JSONValue {
    /// The member of an object with this name.
    package subscript(name: String) -> JSONValue? {
        if case .object(let object) = self { object[name] } else { nil }
    }

    package static func number(_ literal: String) -> JSONValue? { JSONNumber(literal: literal).map { .number($0) } }
}
