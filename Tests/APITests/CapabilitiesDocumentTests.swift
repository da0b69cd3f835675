import JSON
import Runs
import Sandbox
import Testing

@testable import API

@Suite struct CapabilitiesDocumentTests {
    @Test func `a host of which nothing is known promises nothing`() throws {
        let report = HostReport(HostFacts(), failure: SetupFailure(step: .launcher, number: 32))
        let value = try render(report, images: ["host", "python"])
        #expect(value["enforcement"] == .null)
        #expect(value["walls"]?["seccomp"] == .bool(false))
        #expect(value["walls"]?["landlock"] == .null)
        #expect(value["walls"]?["cgroups"] == .null)
        #expect(value["images"] == .array([.string("host"), .string("python")]))
        #expect(value["networks"] == .array([.string("none")]))
        #expect(value["version"] == .string("1.2.3"))
    }

    @Test func `defaults and maxima are those of the server`() throws {
        var maxima = RequestMaxima()
        maxima.defaults.memoryBytes = 7
        maxima.processes = 9
        let report = HostReport(HostFacts(), failure: SetupFailure(step: .launcher, number: 32))
        let value = try render(report, images: [], maxima)
        #expect(value["defaults"]?["limits"]?["memoryBytes"] == .number("7"))
        #expect(value["maxima"]?["limits"]?["processes"] == .number("9"))
        #expect(value["maxima"]?["bodyBytes"] == .number("1000"))
        #expect(value["maxima"]?["waitSeconds"] == .number("300"))
        #expect(value["defaults"]?["graceSeconds"] == .number("0"))
    }

    @Test func `the host's network stands there where it is allowed`() throws {
        var maxima = RequestMaxima()
        maxima.allowsHostNetwork = true
        let report = HostReport(HostFacts(), failure: SetupFailure(step: .launcher, number: 32))
        #expect(try render(report, images: [], maxima)["networks"] == .array([.string("none"), .string("host")]))
    }

    private func render(
        _ report: HostReport,
        images: [String],
        _ maxima: RequestMaxima = RequestMaxima()
    ) throws -> JSONValue {
        let capabilities = Capabilities(version: "1.2.3", report: report, images: images)
        return try JSONParser.parse(
            CapabilitiesDocument(capabilities: capabilities, maxima: maxima, maximumBodyBytes: 1000).render()
        )
    }
}
