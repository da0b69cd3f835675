internal import JSON
internal import Runs

/// The answer to `GET /openapi.json`: what `openapi.json` of this folder says, with this server's own values in it.
///
/// It is sent as `application/json`: every client, browser and generator of code takes that, and
/// `application/openapi+json` is not registered yet.
struct OpenAPIDocument {
    private let version: String
    private let maxima: RequestMaxima

    /// The document of a server with these capabilities.
    init(_ server: CapabilitiesDocument) {
        version = server.capabilities.version
        maxima = server.maxima
    }

    /// What the file says: of a server with the usual maxima, without images.
    static func file() throws(JSONParseError) -> JSONValue {
        try JSONParser.parse(PackageResources.openapi_json)
    }

    /// The JSON text, with a line end.
    func render() -> [UInt8] {
        var document: JSONValue
        do throws(JSONParseError) {
            document = try Self.file()
        } catch {
            preconditionFailure("openapi.json is a part of the program and no JSON: \(error.faults)")
        }
        document.replace(["info", "version"], with: .string(version))
        let run = ["components", "schemas", "RunRequest", "properties"]
        document.replace(run + ["command", "maxItems"], with: Self.number(maxima.commandElements))
        document.replace(run + ["timeoutSeconds", "maximum"], with: Self.number(maxima.timeout))
        document.replace(run + ["timeoutSeconds", "default"], with: Self.number(maxima.defaults.timeout))
        document.replace(run + ["graceSeconds", "maximum"], with: Self.number(maxima.grace))
        document.replace(run + ["image", "enum"], with: .array(maxima.images.map { .string($0) }))
        document.replace(run + ["network", "enum"], with: .array(maxima.networks.map { .string($0.rawValue) }))
        let limits = ["components", "schemas", "RequestedLimits", "properties"]
        document.replace(limits + ["cpuSeconds", "maximum"], with: Self.number(maxima.cpu))
        let numbers = [
            ("memoryBytes", maxima.memoryBytes, maxima.defaults.memoryBytes),
            ("processes", maxima.processes, maxima.defaults.processes),
            ("outputBytes", maxima.outputBytes, maxima.defaults.outputBytes),
            ("diskBytes", maxima.diskBytes, maxima.defaults.diskBytes),
            ("openFiles", maxima.openFiles, maxima.defaults.openFiles),
        ]
        for (name, most, usual) in numbers {
            document.replace(limits + [name, "maximum"], with: Self.number(most))
            document.replace(limits + [name, "default"], with: Self.number(usual))
        }
        var writer = JSONWriter(capacity: PackageResources.openapi_json.count)
        writer.value(document)
        return writer.bytes + [UInt8(ascii: "\n")]
    }

    private static func number(_ number: Int) -> JSONValue { .number(JSONNumber(Int64(number))) }

    /// In seconds.
    private static func number(_ duration: Duration) -> JSONValue {
        var writer = JSONWriter()
        writer.value(duration.inSeconds)
        let literal = String(decoding: writer.bytes, as: UTF8.self)
        return JSONNumber(literal: literal).map { .number($0) } ?? .null
    }
}
