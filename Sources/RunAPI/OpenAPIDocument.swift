internal import JSON
internal import RunModel

/// The response document of `GET /openapi.json`: the file `openapi.json` of this directory, completed for this server.
///
/// The file leaves the schemas of limits and outcomes empty. They are filled in from ``Limits/table`` and
/// ``Outcome/table``, with the defaults and maxima of this server.
///
/// The document is served as `application/json`, which every client, browser and code generator accepts. The media type
/// `application/openapi+json` is not registered yet.
package struct OpenAPIDocument {
    private static let schemas = ["components", "schemas"]
    private static let runMembers = schemas + ["RunRequest", "properties"]

    private let version: String
    private let maxima: RequestLimits
    private let base: String

    /// Creates the document of a server with these capabilities.
    ///
    /// - Parameters:
    ///   - server: the capabilities of the server.
    ///   - base: the URL or the path under which clients reach the server, without a trailing slash.
    package init(_ server: CapabilitiesDocument, at base: String = "") {
        self.base = base
        version = server.capabilities.version
        maxima = server.maxima
    }

    /// Returns the document of a server with the default maxima and without further images.
    static func file() throws(JSONParseError) -> JSONValue {
        var document = try JSONParser.parse(PackageResources.openapi_json)
        fillOutcomes(&document)
        fillLimits(&document, RequestLimits())
        return document
    }

    /// The names of all members of a `POST /runs` body.
    static var runMemberNames: [String] {
        var value = try? JSONParser.parse(PackageResources.openapi_json)
        for name in runMembers { value = value?.object?[name] }
        return value?.object?.members.map(\.name) ?? []
    }

    /// Renders the document as JSON text with a final line feed.
    package func render() -> [UInt8] {
        var document: JSONValue
        do throws(JSONParseError) {
            document = try Self.file()
        } catch {
            preconditionFailure("openapi.json is a part of the program and must be JSON: \(error.faults)")
        }
        document.replace(["info", "version"], with: .string(version))
        if !base.isEmpty {
            let server = Self.object([JSONMember(name: "url", value: .string(base))])
            document.replace(["servers"], with: .array([server]))
        }
        let run = Self.runMembers
        document.replace(run + ["command", "maxItems"], with: Self.number(maxima.commandElements))
        document.replace(run + ["graceSeconds", "maximum"], with: Self.number(maxima.grace))
        document.replace(run + ["image", "enum"], with: .array(maxima.images.map { .string($0) }))
        document.replace(run + ["network", "enum"], with: .array(maxima.networks.map { .string($0.rawValue) }))
        Self.fillLimits(&document, maxima)
        var writer = JSONWriter(capacity: PackageResources.openapi_json.count)
        writer.value(document)
        return writer.bytes + [UInt8(ascii: "\n")]
    }

    // MARK: Tables

    private static func fillOutcomes(_ document: inout JSONValue) {
        let lines = Outcome.table.map { "- `\($0.kind.rawValue)`: \($0.summary)" }
        let description = lines.joined(separator: "\n") + "\n\nLater versions may add outcomes."
        document.replace(schemas + ["Outcome", "description"], with: .string(description))
        document.replace(schemas + ["Outcome", "enum"], with: .array(Outcome.names.map { .string($0) }))
    }

    private static func fillLimits(_ document: inout JSONValue, _ server: RequestLimits) {
        for limit in Limits.table where limit.isRunMember {
            document.replace(runMembers + [limit.name], with: requestSchema(limit, server))
        }
        let requested = Limits.memberTable.map { JSONMember(name: $0.name, value: requestSchema($0, server)) }
        document.replace(schemas + ["RequestedLimits", "properties"], with: object(requested))
        let inForce = Limits.table.map { JSONMember(name: $0.name, value: runSchema($0)) }
        document.replace(schemas + ["Limits", "properties"], with: object(inForce))
        document.replace(schemas + ["Limits", "required"], with: names(Limits.table))
        let numbers = Limits.memberTable.map { limit in
            JSONMember(name: limit.name, value: object([type(limit), JSONMember(name: "minimum", value: number(0))]))
        }
        document.replace(schemas + ["NumbersOfLimits", "properties"], with: object(numbers))
        document.replace(schemas + ["NumbersOfLimits", "required"], with: names(Limits.memberTable))
    }

    /// Returns the schema of a limit in a request, with the server's maximum and default.
    private static func requestSchema(_ limit: LimitDescription, _ server: RequestLimits) -> JSONValue {
        let description = [limit.summary, limit.defaultSummary].compactMap { $0 }.joined(separator: " ")
        var members = [JSONMember(name: "description", value: .string(description)), type(limit)]
        let maximum: JSONValue
        let defaultValue: JSONValue
        switch limit.value {
        case .seconds(let get, _):
            members.append(JSONMember(name: "exclusiveMinimum", value: number(0)))
            (maximum, defaultValue) = (number(get(server.maxima)), number(get(server.defaults)))
        case .number(let minimum, let get, _):
            members.append(JSONMember(name: "minimum", value: number(minimum)))
            (maximum, defaultValue) = (number(get(server.maxima)), number(get(server.defaults)))
        case .decimal(let minimum, let get, _):
            members.append(JSONMember(name: "minimum", value: number(minimum)))
            (maximum, defaultValue) = (number(get(server.maxima)), number(get(server.defaults)))
        }
        if maximum != .null { members.append(JSONMember(name: "maximum", value: maximum)) }
        if !limit.hasDerivedDefault { members.append(JSONMember(name: "default", value: defaultValue)) }
        return object(members)
    }

    /// Returns the schema of a limit in the document of a run.
    private static func runSchema(_ limit: LimitDescription) -> JSONValue {
        let bound =
            switch limit.value {
            case .seconds: "exclusiveMinimum"
            case .number, .decimal: "minimum"
            }
        return object([
            JSONMember(name: "description", value: .string(limit.summary)), type(limit),
            JSONMember(name: bound, value: number(0)),
        ])
    }

    private static func type(_ limit: LimitDescription) -> JSONMember {
        let type: JSONValue =
            switch limit.value {
            case .seconds: .string("number")
            case .number: .string("integer")
            case .decimal: .array([.string("number"), .string("null")])
            }
        return JSONMember(name: "type", value: type)
    }

    private static func names(_ table: [LimitDescription]) -> JSONValue { .array(table.map { .string($0.name) }) }

    private static func object(_ members: [JSONMember]) -> JSONValue { .object(JSONObject(members: members)) }

    private static func number(_ number: Int) -> JSONValue { .number(JSONNumber(Int64(number))) }

    /// Returns the number of seconds.
    private static func number(_ duration: Duration) -> JSONValue { number(duration.inSeconds) }

    private static func number(_ number: Double?) -> JSONValue {
        guard let number else { return .null }
        var writer = JSONWriter()
        writer.value(number)
        let literal = String(decoding: writer.bytes, as: UTF8.self)
        return JSONNumber(literal: literal).map { .number($0) } ?? .null
    }
}

extension JSONValue {
    /// Replaces the value at a path of member names, which must exist.
    fileprivate mutating func replace(_ path: [String], with value: JSONValue) { replace(path[...], with: value) }

    private mutating func replace(_ path: ArraySlice<String>, with value: JSONValue) {
        guard let name = path.first else {
            self = value
            return
        }
        guard case .object(var object) = self, let index = object.members.firstIndex(where: { $0.name == name }) else {
            preconditionFailure("openapi.json has no member \(name) to replace")
        }
        object.members[index].value.replace(path.dropFirst(), with: value)
        self = .object(object)
    }
}
