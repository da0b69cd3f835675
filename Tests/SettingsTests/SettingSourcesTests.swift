import TestSupport
import Testing

@testable import Settings

@Suite struct SettingSourcesTests {
    struct Group: SettingGroup {
        static let title = "Test"

        let port = Setting.number("httpPort", 1...65535, default: 8080, help: "Listen on this port.")
        let time = Setting.seconds("timeout", atMost: 100, default: .seconds(1), help: "Stop after this time.")
        let directories = ListSetting<String>(
            "exposeDirectory",
            separator: ":",
            valueName: "path",
            defaultText: "none",
            constraint: "a path",
            help: "Show this directory.",
            parse: { $0.hasPrefix("/") ? $0 : nil }
        )
        let names = ListSetting<String>(
            "name",
            separator: ",",
            valueName: "name",
            defaultText: "none",
            constraint: "a name",
            help: "Accept this name.",
            parse: { $0 }
        )
        let isLoud = Setting.toggle("loud", help: "Print more.")
        let color = Setting.toggle("color", help: "Print colors.").description.withHelp("Print without colors.")
    }

    static let group = Group()
    static let known = Group.descriptions

    @Test func `the flag and the variable derive from the name`() {
        #expect(Self.group.port.description.flag == "--http-port")
        #expect(Self.group.port.description.variable == "SANDGLASS_HTTP_PORT")
    }

    @Test func `a group lists its settings in the order of their declarations`() {
        #expect(Self.known.map(\.name) == ["httpPort", "timeout", "exposeDirectory", "name", "loud", "color"])
        #expect(Self.known.last?.help == "Print without colors.")
    }

    @Test func `the text of a default derives from its value`() {
        #expect(Self.group.port.description.defaultText == "8080")
        #expect(Self.group.time.description.defaultText == "1")
        #expect(Self.group.isLoud.description.defaultText == "off")
        let texts = [0, 1, 1024, 1536, 32 << 20, 1 << 30].map { bytes in
            Setting.bytes("size", 0...Int.max, default: bytes, help: "Limit the size.").description.defaultText
        }
        #expect(
            texts == ["0", "1", "1024 (1 KiB)", "1536", "33554432 (32 MiB)", "1073741824 (1 GiB)"]
        )
        let half = Setting.seconds("time", atMost: 1, default: .milliseconds(500), help: "Stop after this time.")
        #expect(half.description.defaultText == "0.5")
    }

    @Test func `a setting without a value in any source has its default`() throws {
        let sources = try sources()
        let limit = Setting.number("httpPort", 1...10, unset: "no limit", help: "Limit it.")
        #expect(try sources.value(Self.group.port) == 8080)
        #expect(try sources.value(limit) == nil)
        #expect(limit.description.defaultText == "no limit")
        #expect(!sources.isSet(Self.group.port.description))
        let set = try self.sources(flags: ["httpPort": ["8080"]])
        #expect(set.isSet(Self.group.port.description))
        #expect(throws: SettingError.self) { try set.value(limit) }
    }

    @Test func `flags take precedence over the environment, and that over the file`() throws {
        let file = #"{"httpPort": 3, "exposeDirectory": ["/f"], "loud": true}"#
        let environment = [
            "SANDGLASS_HTTP_PORT": "2", "SANDGLASS_EXPOSE_DIRECTORY": "/e", "SANDGLASS_LOUD": "0",
        ]
        let all = try sources(
            flags: ["httpPort": ["1"], "exposeDirectory": ["/a"]],
            environment: environment,
            file: file
        )
        #expect(try all.value(Self.group.port) == 1)
        #expect(try all.values(Self.group.directories) == ["/a"])
        #expect(try all.value(Self.group.isLoud) == false)
        let two = try sources(environment: environment, file: file)
        #expect(try two.value(Self.group.port) == 2)
        #expect(try two.values(Self.group.directories) == ["/e"])
        let one = try sources(file: file)
        #expect(try one.value(Self.group.port) == 3)
        #expect(try one.values(Self.group.directories) == ["/f"])
        #expect(try one.value(Self.group.isLoud) == true)
        let none = try sources()
        #expect(try none.value(Self.group.port) == 8080)
        #expect(try none.values(Self.group.directories) == [])
    }

    @Test func `an empty variable counts as not set`() throws {
        #expect(
            try sources(environment: ["SANDGLASS_HTTP_PORT": ""], file: #"{"httpPort": 3}"#).value(Self.group.port) == 3
        )
    }

    @Test func `a list in the environment is split at the separator of its setting`() throws {
        let sources = try sources(environment: ["SANDGLASS_EXPOSE_DIRECTORY": "/a,b:/c", "SANDGLASS_NAME": "a:b,c"])
        #expect(try sources.values(Self.group.directories) == ["/a,b", "/c"])
        #expect(try sources.values(Self.group.names) == ["a:b", "c"])
    }

    @Test(arguments: ["0", "65536", "-1", "1.5", "", "x", "0x10", "99999999999999999999"])
    func `an invalid value is an error that names its source`(text: String) throws {
        let error = #expect(throws: SettingError.self) {
            _ = try sources(flags: ["httpPort": [text]]).value(Self.group.port)
        }
        #expect(
            error?.description
                == "The value '\(text)' of --http-port is invalid: it must be a whole number from 1 to 65535."
        )
    }

    @Test func `the error names the variable or the file that has the value`() throws {
        let variable = #expect(throws: SettingError.self) {
            _ = try sources(environment: ["SANDGLASS_HTTP_PORT": "x"]).value(Self.group.port)
        }
        #expect(variable?.description.contains("'x' of SANDGLASS_HTTP_PORT is") == true)
        let file = #expect(throws: SettingError.self) {
            _ = try sources(file: #"{"httpPort": 0}"#).value(Self.group.port)
        }
        #expect(file?.description.contains("'0' of \"httpPort\" in ") == true)
        let list = #expect(throws: SettingError.self) {
            _ = try sources(file: #"{"exposeDirectory": ["/a", "b"]}"#).values(Self.group.directories)
        }
        #expect(list?.description.contains("'b' of \"exposeDirectory\" in ") == true)
    }

    @Test(arguments: ["nan", "inf", "0x1p4", "1e3", "-1", "0", "100.001", "+5", " 5"])
    func `a time consists of digits`(text: String) {
        #expect(throws: SettingError.self) { try sources(flags: ["timeout": [text]]).value(Self.group.time) }
    }

    @Test func `a time may have a fraction and is never rounded to zero`() throws {
        #expect(try sources(flags: ["timeout": ["0.05"]]).value(Self.group.time) == .milliseconds(50))
        #expect(try sources(flags: ["timeout": ["0.0000000001"]]).value(Self.group.time) == .nanoseconds(1))
        #expect(try sources(flags: ["timeout": ["100"]]).value(Self.group.time) == .seconds(100))
    }

    @Test func `a time may have a unit in every source`() throws {
        let time = Self.group.time
        #expect(try sources(flags: ["timeout": ["1.5m"]]).value(time) == .seconds(90))
        #expect(try sources(environment: ["SANDGLASS_TIMEOUT": "250ms"]).value(time) == .milliseconds(250))
        #expect(try sources(file: #"{"timeout": "1m"}"#).value(time) == .seconds(60))
        #expect(try sources(file: #"{"timeout": 60}"#).value(time) == .seconds(60))
        #expect(throws: SettingError.self) { try sources(file: #"{"timeout": "2m"}"#).value(time) }
        #expect(throws: SettingError.self) { try sources(file: #"{"timeout": true}"#) }
    }

    @Test func `an unknown variable is an error that names it`() throws {
        let error = #expect(throws: SettingError.self) {
            _ = try sources(environment: ["SANDGLASS_HTTP_PROT": "1", "SANDGLASS_B": "", "PATH": "/"])
        }
        #expect(
            error?.description.contains("SANDGLASS_B, SANDGLASS_HTTP_PROT (did you mean SANDGLASS_HTTP_PORT?).") == true
        )
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
            isForeign: { $0 == "SANDGLASS_FOREIGN" }
        )
    }
}
