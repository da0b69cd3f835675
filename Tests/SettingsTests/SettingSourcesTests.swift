import TestSupport
import Testing

@testable import Settings

@Suite struct SettingSourcesTests {
    static let port = Setting.number("httpPort", 1...65535, standard: "8080", help: "Where.")
    static let time = Setting.seconds("timeout", atMost: 100, standard: "1", help: "When.")
    static let folders = Setting<String>(
        "exposeFolder",
        .list(separator: ":"),
        valueName: "path",
        standard: "none",
        must: "a path",
        help: "What.",
        read: { $0.hasPrefix("/") ? $0 : nil }
    )
    static let names = Setting<String>(
        "name",
        .list(separator: ","),
        valueName: "name",
        standard: "none",
        must: "a name",
        help: "Who.",
        read: { $0 }
    )
    static let isLoud = Setting.toggle("loud", help: "Whether.")
    static let known = [
        port.description, time.description, folders.description, names.description, isLoud.description,
    ]

    @Test func `one name makes the flag and the variable`() {
        #expect(Self.port.description.flag == "--http-port")
        #expect(Self.port.description.variable == "SANDGLASS_HTTP_PORT")
    }

    @Test func `a flag counts before the environment and that before the file`() throws {
        let file = #"{"httpPort": 3, "exposeFolder": ["/f"], "loud": true}"#
        let environment = [
            "SANDGLASS_HTTP_PORT": "2", "SANDGLASS_EXPOSE_FOLDER": "/e", "SANDGLASS_LOUD": "0",
        ]
        let all = try sources(flags: ["httpPort": ["1"], "exposeFolder": ["/a"]], environment: environment, file: file)
        #expect(try all.value(Self.port) == 1)
        #expect(try all.values(Self.folders) == ["/a"])
        #expect(try all.value(Self.isLoud) == false)
        let two = try sources(environment: environment, file: file)
        #expect(try two.value(Self.port) == 2)
        #expect(try two.values(Self.folders) == ["/e"])
        let one = try sources(file: file)
        #expect(try one.value(Self.port) == 3)
        #expect(try one.values(Self.folders) == ["/f"])
        #expect(try one.value(Self.isLoud) == true)
        let none = try sources()
        #expect(try none.value(Self.port) == nil)
        #expect(try none.values(Self.folders) == [])
    }

    @Test func `an empty variable is none`() throws {
        #expect(try sources(environment: ["SANDGLASS_HTTP_PORT": ""], file: #"{"httpPort": 3}"#).value(Self.port) == 3)
    }

    @Test func `a list in the environment is cut where its setting says`() throws {
        let sources = try sources(environment: ["SANDGLASS_EXPOSE_FOLDER": "/a,b:/c", "SANDGLASS_NAME": "a:b,c"])
        #expect(try sources.values(Self.folders) == ["/a,b", "/c"])
        #expect(try sources.values(Self.names) == ["a:b", "c"])
    }

    @Test(arguments: ["0", "65536", "-1", "1.5", "", "x", "0x10", "99999999999999999999"])
    func `a value that is none is an error that names where it stands`(text: String) throws {
        let error = #expect(throws: SettingError.self) {
            _ = try sources(flags: ["httpPort": [text]]).value(Self.port)
        }
        #expect(
            error?.description
                == "The value '\(text)' of --http-port is invalid: it must be a whole number from 1 to 65535."
        )
    }

    @Test func `the error names the variable or the file if the value stands there`() throws {
        let variable = #expect(throws: SettingError.self) {
            _ = try sources(environment: ["SANDGLASS_HTTP_PORT": "x"]).value(Self.port)
        }
        #expect(variable?.description.contains("'x' of SANDGLASS_HTTP_PORT is") == true)
        let file = #expect(throws: SettingError.self) {
            _ = try sources(file: #"{"httpPort": 0}"#).value(Self.port)
        }
        #expect(file?.description.contains("'0' of \"httpPort\" in ") == true)
        let list = #expect(throws: SettingError.self) {
            _ = try sources(file: #"{"exposeFolder": ["/a", "b"]}"#).values(Self.folders)
        }
        #expect(list?.description.contains("'b' of \"exposeFolder\" in ") == true)
    }

    @Test(arguments: ["nan", "inf", "0x1p4", "1e3", "-1", "0", "100.001", "+5", " 5"])
    func `a time is written in digits`(text: String) {
        #expect(throws: SettingError.self) { try sources(flags: ["timeout": [text]]).value(Self.time) }
    }

    @Test func `a time has fractions and never becomes nothing`() throws {
        #expect(try sources(flags: ["timeout": ["0.05"]]).value(Self.time) == .milliseconds(50))
        #expect(try sources(flags: ["timeout": ["0.0000000001"]]).value(Self.time) == .nanoseconds(1))
        #expect(try sources(flags: ["timeout": ["100"]]).value(Self.time) == .seconds(100))
    }

    @Test func `a variable that means nothing is an error that names it`() throws {
        let error = #expect(throws: SettingError.self) {
            _ = try sources(environment: ["SANDGLASS_HTTP_PROT": "1", "SANDGLASS_B": "", "PATH": "/"])
        }
        #expect(error?.description.contains("SANDGLASS_B, SANDGLASS_HTTP_PROT,") == true)
        _ = try sources(environment: ["SANDGLASS_FOREIGN": "1"])
    }

    private func sources(
        flags: [String: [String]] = [:],
        environment: [String: String] = [:],
        file: String? = nil
    ) throws -> SettingSources {
        try SettingSources(
            flags: flags,
            environment: environment,
            file: try file.map { try SettingsFile(path: "/etc/x.json", text: Array($0.utf8), known: Self.known) },
            known: Self.known,
            foreign: { $0 == "SANDGLASS_FOREIGN" }
        )
    }
}
