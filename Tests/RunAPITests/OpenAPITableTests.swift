import JSON
import RunModel
import TestSupport
import Testing

@testable import RunAPI

/// The parts of the OpenAPI document that come from tables.
@Suite struct OpenAPITableTests {
    private let schemas: JSONValue?

    init() throws { schemas = try OpenAPIDocument.file()["components"]?["schemas"] }

    @Test func `every outcome is listed and described`() {
        let names = Outcome.Kind.allCases.map { JSONValue.string($0.rawValue) }
        #expect(schemas?["Outcome"]?["enum"] == .array(names))
        for row in Outcome.table {
            #expect(schemas?["Outcome"]?["description"]?.string?.contains("`\(row.kind.rawValue)`: ") == true)
        }
    }

    @Test func `a requested limit has its bounds and its default`() {
        #expect(
            text(schemas?["RequestedLimits"]?["properties"]?["memoryBytes"], without: "description")
                == #"{"type":"integer","minimum":1048576,"maximum":68719476736,"default":536870912}"#
        )
        #expect(
            text(schemas?["RequestedLimits"]?["properties"]?["cpuSeconds"], without: "description")
                == #"{"type":"number","exclusiveMinimum":0,"maximum":14400}"#
        )
        #expect(
            text(schemas?["RunRequest"]?["properties"]?["timeoutSeconds"], without: "description")
                == #"{"type":"number","exclusiveMinimum":0,"maximum":3600,"default":10}"#
        )
    }

    @Test func `the documents require every limit`() {
        let names = Limits.table.map { JSONValue.string($0.name) }
        #expect(schemas?["Limits"]?["required"] == .array(names))
        #expect(schemas?["Limits"]?["properties"]?.object?.members.map(\.name) == Limits.table.map(\.name))
        #expect(schemas?["NumbersOfLimits"]?["required"] == .array(Array(names.dropFirst())))
        #expect(
            text(schemas?["NumbersOfLimits"]?["properties"])
                == #"{"cpuSeconds":{"type":"number","minimum":0},"memoryBytes":{"type":"integer","minimum":0},"#
                + #""processes":{"type":"integer","minimum":0},"outputBytes":{"type":"integer","minimum":0},"#
                + #""diskBytes":{"type":"integer","minimum":0},"openFiles":{"type":"integer","minimum":0},"#
                + #""stackBytes":{"type":"integer","minimum":0},"cpus":{"type":["number","null"],"minimum":0}}"#
        )
    }

    private func text(_ value: JSONValue?, without name: String? = nil) -> String {
        var value = value
        if case .object(var object)? = value {
            object.members.removeAll { $0.name == name }
            value = .object(object)
        }
        var writer = JSONWriter()
        writer.value(value)
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}
