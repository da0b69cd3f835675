import TestSupport
import Testing

@testable import Settings

@Suite struct SettingsFileTests {
    private static let known = SettingSourcesTests.known

    @Test(arguments: [
        ("", "expected a value"), ("[]", "a JSON object, not an array"), ("{\"httpPort\": 1,}", "expected"),
        ("{\"httpPort\": 1, \"httpPort\": 2}", "/httpPort: the object has this member more than once"),
        ("{\"htpPort\": 1}", "unknown setting \"htpPort\""),
        ("{\"httpPort\": \"1\"}", "\"httpPort\" must be a whole number from 1 to 65535, as a number"),
        ("{\"loud\": 1}", "\"loud\" must be true or false"),
        ("{\"exposeDirectory\": \"/a\"}", "as an array of strings"),
        ("{\"exposeDirectory\": [1]}", "as an array of strings"), ("{\"httpPort\": null}", "as a number"),
    ])
    func `an invalid file is an error that names the fault`(text: String, detail: String) {
        let error = #expect(throws: SettingError.self) {
            _ = try SettingsFile(path: "x", text: Array(text.utf8), known: Self.known)
        }
        #expect(error?.description.contains(detail) == true, "\(String(describing: error))")
    }

    @Test func `one error lists all faults of a file`() {
        let error = #expect(throws: SettingError.self) {
            _ = try SettingsFile(path: "x", text: Array("{\"a\": 1, \"b\": 2, \"loud\": 3}".utf8), known: Self.known)
        }
        #expect(error?.description.split(separator: ";").count == 3, "\(String(describing: error))")
    }

    @Test func `a missing or world-writable file is an error that names it`() throws {
        let directory = try ScratchDirectory()
        let missing = #expect(throws: SettingError.self) {
            _ = try SettingsFile(path: directory.path + "/none", known: Self.known)
        }
        #expect(missing?.description.contains("/none cannot be used: No such file") == true)
        let open = try directory.makeFile("open.json", "{}", mode: 0o666)
        let error = #expect(throws: SettingError.self) { _ = try SettingsFile(path: open, known: Self.known) }
        #expect(error?.description.contains("chmod o-w") == true)
        let notAFile = #expect(throws: SettingError.self) {
            _ = try SettingsFile(path: directory.path, known: Self.known)
        }
        #expect(notAFile?.description.contains("Is a directory") == true)
        _ = try SettingsFile(path: try directory.makeFile("fine.json", "{}"), known: Self.known)
    }

    @Test func `an endless file is read only up to the limit`() {
        let error = #expect(throws: SettingError.self) { _ = try SettingsFile(path: "/dev/zero", known: Self.known) }
        #expect(error?.description.contains("larger than") == true)
    }
}
