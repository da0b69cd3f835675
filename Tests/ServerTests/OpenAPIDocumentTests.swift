import HTTPServer
import JSON
import RunModel
import Sandbox
import TestSupport
import Testing

@testable import RunAPI
@testable import Server

/// Tests that the OpenAPI document describes exactly the routes, parameters and limits of the code.
@Suite struct OpenAPIDocumentTests {
    private let document: JSONValue

    init() throws { document = try OpenAPIDocument.file() }

    // MARK: The table of routes

    @Test func `the document and the table of routes contain the same operations`() {
        let routes = Endpoint.routes.map(Self.name)
        #expect(operations.map(\.name).sorted() == routes.sorted())
    }

    /// Returns the name of a route in the document, which has no notation for a parameter that matches the rest of a path.
    private static func name(of route: Route<Endpoint>) -> String {
        "\(route.method) \(route.pattern.replacing("...}", with: "}"))"
    }

    @Test func `the query parameters of a route are those of its operation`() throws {
        for route in Endpoint.routes {
            let operation = try #require(operations.first { $0.name == Self.name(of: route) })
            #expect(Set(names(of: operation.value, in: "query")) == route.value.queryNames, "\(operation.name)")
        }
    }

    @Test func `the path parameters of an operation are those of its pattern`() {
        for operation in operations {
            let inPattern = operation.name.split(separator: "{").dropFirst().compactMap {
                $0.split(separator: "}").first
            }
            #expect(names(of: operation.value, in: "path") == inPattern.map(String.init), "\(operation.name)")
        }
    }

    @Test func `every operation has a unique name`() {
        let names = operations.map { $0.value["operationId"]?.text }
        #expect(!names.contains(nil))
        #expect(Set(names).count == names.count)
    }

    // MARK: References

    @Test func `every reference resolves`() {
        let references = document.references
        #expect(references.count > 100)
        for reference in references { #expect(document.resolve(reference) != nil, "\(reference)") }
    }

    @Test func `every component is referenced`() {
        let references = document.references
        for (kind, components) in document["components"]?.members ?? [] where kind != "securitySchemes" {
            for (name, _) in components.members {
                #expect(references.contains("#/components/\(kind)/\(name)"), "\(kind) \(name)")
            }
        }
    }

    @Test func `every link names an operation and its parameters`() throws {
        for (name, link) in document["components"]?["links"]?.members ?? [] {
            let operation = operations.first { $0.value["operationId"] == link["operationId"] }
            let known = try names(of: #require(operation, "\(name)").value)
            for (parameter, _) in link["parameters"]?.members ?? [] { #expect(known.contains(parameter), "\(name)") }
        }
    }

    // MARK: Vocabulary

    @Test func `the enumerations are those of the code`() {
        let schemas = document["components"]?["schemas"]
        #expect(schemas?["State"]?["enum"]?.texts == RunState.allCases.map(\.rawValue))
        #expect(schemas?["Outcome"]?["enum"]?.texts.sorted() == Outcome.names.sorted())
        #expect(schemas?["Means"]?["enum"]?.texts == Enforcement.Means.allCases.map(\.rawValue))
        let run = schemas?["RunRequest"]?["properties"]
        #expect(run?["onOutputLimit"]?["enum"]?.texts == OutputLimitPolicy.allCases.map(\.rawValue))
        #expect(run?["keepOutput"]?["enum"]?.texts == KeepOutput.allCases.map(\.rawValue))
        #expect(run?["network"]?["enum"]?.texts == RunNetwork.allCases.map(\.rawValue))
        let gap = schemas?["Capabilities"]?["properties"]?["gaps"]?["items"]?["properties"]?["features"]
        #expect(gap?["items"]?["enum"]?.texts == HostFeature.allCases.map(\.rawValue))
    }

    @Test func `every outcome's description names it`() throws {
        let description = try #require(document["components"]?["schemas"]?["Outcome"]?["description"]?.text)
        for outcome in Outcome.names { #expect(description.contains("`\(outcome)`: "), "\(outcome)") }
    }

    @Test func `the described error statuses are those with a title`() throws {
        let titled = try (400...599).filter { status in
            try JSONParser.parse(ProblemDocument(status: status, detail: "x").render())["title"] != .string("Error")
        }
        let described = operations.flatMap { $0.value["responses"]?.members.map(\.name) ?? [] }.compactMap { Int($0) }
        #expect(Set(described.filter { $0 >= 400 }) == Set(titled))
    }

    @Test func `every operation describes the errors that any request can get`() {
        for operation in operations {
            let statuses = Set(operation.value["responses"]?.members.map(\.name) ?? [])
            for status in [400, 403, 405, 408, 413, 414, 421, 429, 431, 500, 503] {
                #expect(statuses.contains("\(status)"), "\(operation.name): \(status)")
            }
            let isOpen = operation.value["security"] == .array([])
            #expect(statuses.contains("401") != isOpen, "\(operation.name)")
        }
    }

    // MARK: The request for a run

    @Test func `the decoder accepts every described member of a run`() {
        for (name, _) in document["components"]?["schemas"]?["RunRequest"]?["properties"]?.members ?? [] {
            // No member is an array of booleans.
            let faults = problem(#"{"\#(name)": [true]}"#)?.faults ?? []
            #expect(faults.contains { $0.pointer.description.hasPrefix("/\(name)") }, "\(name)")
            #expect(!faults.contains { $0.detail.contains("known") || $0.detail.contains("supported") }, "\(name)")
        }
    }

    @Test func `the described bounds of a number are enforced`() throws {
        let schemas = document["components"]?["schemas"]
        let members = ["timeoutSeconds", "graceSeconds"].map { ($0, schemas?["RunRequest"]?["properties"]?[$0]) }
        let limits = schemas?["RequestedLimits"]?["properties"]?.members.map { ($0.name, Optional($0.value)) } ?? []
        #expect(limits.count == 8)
        let memory = try #require(limits.first { $0.0 == "memoryBytes" }?.1?["maximum"]?.double)
        for (name, schema) in members + limits {
            let isLimit = limits.contains { $0.0 == name }
            func isAccepted(_ number: Double) -> Bool {
                // A stack may be as large as the memory.
                let beside = name == "stackBytes" ? "\"memoryBytes\": \(memory), " : ""
                let member = "\(beside)\"\(name)\": \(number)"
                return problem(#"{"command": ["x"], \#(isLimit ? "\"limits\": {\(member)}" : member)}"#) == nil
            }
            if name != "cpus" {
                let most = try #require(schema?["maximum"]?.double)
                #expect(isAccepted(most) && !isAccepted(most + 1), "\(name)")
            }
            if let least = schema?["minimum"]?.double {
                #expect(isAccepted(least) && !isAccepted(least - 1), "\(name)")
            } else {
                let excluded = try #require(schema?["exclusiveMinimum"]?.double)
                #expect(!isAccepted(excluded) && isAccepted(excluded + 0.001), "\(name)")
            }
        }
    }

    @Test func `the file describes a server with the default maxima`() throws {
        var maxima = RequestLimits()
        maxima.allowsHostNetwork = true
        let version = try #require(document["info"]?["version"]?.text)
        #expect(try render(version: version, maxima) == document)
    }

    @Test func `a server describes its own version, images, networks and maxima`() throws {
        var maxima = RequestLimits()
        maxima.images = ["host", "python"]
        maxima.timeout = .milliseconds(1500)
        maxima.commandElements = 7
        maxima.processes = 9
        maxima.defaults.openFiles = 11
        let served = try render(version: "9.8.7", maxima)
        #expect(served["info"]?["version"] == .string("9.8.7"))
        let schemas = served["components"]?["schemas"]
        let run = schemas?["RunRequest"]?["properties"]
        #expect(run?["image"]?["enum"]?.texts == ["host", "python"])
        #expect(run?["network"]?["enum"]?.texts == ["none"])
        #expect(run?["timeoutSeconds"]?["maximum"] == .number("1.5"))
        #expect(run?["command"]?["maxItems"] == .number("7"))
        #expect(schemas?["RequestedLimits"]?["properties"]?["processes"]?["maximum"] == .number("9"))
        #expect(schemas?["RequestedLimits"]?["properties"]?["openFiles"]?["default"] == .number("11"))
    }

    private func render(version: String, _ maxima: RequestLimits) throws -> JSONValue {
        let report = HostReport(HostInfo(), failure: SetupFailure(step: .launcher, number: 32))
        let capabilities = Capabilities(version: version, report: report, images: maxima.images)
        let server = CapabilitiesDocument(
            capabilities: capabilities,
            maxima: maxima,
            maximumBodyBytes: 1,
            maximumBlobBytes: 1
        )
        return try JSONParser.parse(OpenAPIDocument(server).render())
    }

    // MARK: Reading the document

    /// The operations and their names of method and path, such as `GET /runs`.
    private var operations: [(name: String, value: JSONValue)] {
        (document["paths"]?.members ?? []).flatMap { path, item in
            item.members.map { method, operation in ("\(method.uppercased()) \(path)", operation) }
        }
    }

    /// Returns the names of an operation's parameters in one location, such as `query`, or in all locations.
    private func names(of operation: JSONValue, in place: String? = nil) -> [String] {
        (operation["parameters"]?.elements ?? [])
            .compactMap { parameter in parameter["$ref"]?.text.map { document.resolve($0) } ?? parameter }
            .filter { place == nil || $0["in"]?.text == place }
            .compactMap { $0["name"]?.text }
    }
}

extension JSONValue {
    fileprivate var text: String? { if case .string(let text) = self { text } else { nil } }
    fileprivate var double: Double? { if case .number(let number) = self { number.double } else { nil } }
    fileprivate var elements: [JSONValue] { if case .array(let elements) = self { elements } else { [] } }
    fileprivate var texts: [String] { elements.compactMap(\.text) }
    fileprivate var members: [(name: String, value: JSONValue)] {
        if case .object(let object) = self { object.members.map { ($0.name, $0.value) } } else { [] }
    }

    /// All `$ref` values in the document.
    fileprivate var references: [String] {
        members.flatMap { name, value in
            name == "$ref" ? [value.text ?? "not a string"] : value.references
        } + elements.flatMap(\.references)
    }

    /// Returns the target of a reference within the document.
    fileprivate func resolve(_ reference: String) -> JSONValue? {
        guard reference.hasPrefix("#/") else { return nil }
        return reference.dropFirst(2).split(separator: "/").reduce(self as JSONValue?) { $0?[String($1)] }
    }
}

/// Returns the problem of a body of `POST /runs`; `nil` if the body is accepted.
private func problem(_ body: String) -> ProblemDocument? {
    do throws(ProblemDocument) {
        _ = try CreateRunDecoder.decode(Array(body.utf8), maxima: RequestLimits())
        return nil
    } catch {
        return error
    }
}
