import JSON
import RunModel
import TestSupport
import Testing

@testable import RunAPI

@Suite struct CapabilitiesDocumentTests {
    /// A host about which nothing is known.
    private static let unknownHost = Capabilities.Isolation(
        kernel: "",
        filtersSystemCalls: false,
        landlockABI: nil,
        cgroups: nil,
        hasOwnHostUsers: false
    )

    @Test func `an unknown host has no enforcement and no protections`() throws {
        let value = try render(images: ["host", "python"])
        #expect(value["enforcement"] == .null)
        #expect(value["walls"]?["seccomp"] == .bool(false))
        #expect(value["walls"]?["landlock"] == .null)
        #expect(value["walls"]?["cgroups"] == .null)
        #expect(value["walls"]?["hostUsers"] == .string("own"))
        #expect(value["images"] == .array([.string("host"), .string("python")]))
        #expect(value["networks"] == .array([.string("none")]))
        #expect(value["version"] == .string("1.2.3"))
    }

    @Test func `the protections and gaps of a host have the contract's names`() throws {
        let isolation = Capabilities.Isolation(
            kernel: "6.1.0",
            filtersSystemCalls: true,
            landlockABI: 3,
            cgroups: Capabilities.ControlGroups(version: 2, limits: ["memory", "cpu"]),
            hasOwnHostUsers: true
        )
        let gap = GapDocument(features: ["processes"], problem: "a", consequence: "b", remedy: "c")
        let text = String(decoding: document(isolation, gaps: [gap]).render(), as: UTF8.self)
        #expect(
            text.contains(
                #"""
                "walls":{"kernel":"6.1.0","namespaces":["user","pid","mount","ipc","uts","cgroup","network"],\#
                "seccomp":true,"landlock":{"abi":3},"cgroups":{"version":2,"limits":["memory","cpu"]},\#
                "hostUsers":"each_its_own"},"gaps":[{"features":["processes"],"what":"a","cost":"b","remedy":"c"}],
                """#
            )
        )
    }

    @Test func `the default limits and maxima are rendered in the contract's order`() {
        let text = String(decoding: document(Self.unknownHost).render(), as: UTF8.self)
        #expect(
            text.contains(
                #"""
                "defaults":{"timeoutSeconds":10,"graceSeconds":0,"limits":{"cpuSeconds":20,"memoryBytes":536870912,\#
                "processes":512,"outputBytes":1048576,"diskBytes":268435456,"openFiles":256,"stackBytes":8388608,\#
                "cpus":null}},\#
                "maxima":{"timeoutSeconds":3600,"graceSeconds":60,"waitSeconds":300,"bodyBytes":1000,\#
                "commandElements":1024,"files":1000,"archiveEntries":100000,"blobBytes":2000,\#
                "limits":{"cpuSeconds":14400,"memoryBytes":68719476736,"processes":8192,\#
                "outputBytes":67108864,"diskBytes":68719476736,"openFiles":65536,"stackBytes":68719476736,"cpus":null}},
                """#
            )
        )
    }

    @Test func `defaults and maxima are those of the server`() throws {
        var maxima = RequestLimits()
        maxima.defaults.memoryBytes = 7
        maxima.processes = 9
        let value = try render(maxima)
        #expect(value["defaults"]?["limits"]?["memoryBytes"] == .number("7"))
        #expect(value["maxima"]?["limits"]?["processes"] == .number("9"))
        #expect(value["maxima"]?["bodyBytes"] == .number("1000"))
        #expect(value["maxima"]?["waitSeconds"] == .number("300"))
        #expect(value["defaults"]?["graceSeconds"] == .number("0"))
    }

    @Test func `the host's network is listed where it is allowed`() throws {
        var maxima = RequestLimits()
        maxima.allowsHostNetwork = true
        #expect(try render(maxima)["networks"] == .array([.string("none"), .string("host")]))
    }

    private func render(_ maxima: RequestLimits = RequestLimits(), images: [String] = []) throws -> JSONValue {
        try JSONParser.parse(document(Self.unknownHost, maxima, images: images).render())
    }

    private func document(
        _ isolation: Capabilities.Isolation,
        _ maxima: RequestLimits = RequestLimits(),
        gaps: [GapDocument] = [],
        images: [String] = []
    ) -> CapabilitiesDocument {
        let capabilities = Capabilities(
            version: "1.2.3",
            enforcement: nil,
            isolation: isolation,
            gaps: gaps,
            images: images
        )
        return CapabilitiesDocument(
            capabilities: capabilities,
            maxima: maxima,
            maximumBodyBytes: 1000,
            maximumBlobBytes: 2000
        )
    }
}
