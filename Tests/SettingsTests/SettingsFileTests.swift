import TestSupport
import Testing

@testable import Settings

@Suite struct SettingsFileTests {
    private static let known = SettingSourcesTests.known

    @Test(arguments: [
        ("", "expected a value"), ("[]", "a JSON object, not array"), ("{\"httpPort\": 1,}", "expected"),
        ("{\"httpPort\": 1, \"httpPort\": 2}", "/httpPort: the object has this member more than once"),
        ("{\"htpPort\": 1}", "there is no setting \"htpPort\""),
        ("{\"httpPort\": \"1\"}", "\"httpPort\" must be a whole number from 1 to 65535, as a number"),
        ("{\"loud\": 1}", "\"loud\" must be true or false"),
        ("{\"exposeFolder\": \"/a\"}", "as an array of strings"),
        ("{\"exposeFolder\": [1]}", "as an array of strings"), ("{\"httpPort\": null}", "as a number"),
    ])
    func `what is wrong with a file is said`(text: String, detail: String) {
        let error = #expect(throws: SettingError.self) {
            _ = try SettingsFile(path: "x", text: Array(text.utf8), known: Self.known)
        }
        #expect(error?.description.contains(detail) == true, "\(String(describing: error))")
    }

    @Test func `all that is wrong is said at once`() {
        let error = #expect(throws: SettingError.self) {
            _ = try SettingsFile(path: "x", text: Array("{\"a\": 1, \"b\": 2, \"loud\": 3}".utf8), known: Self.known)
        }
        #expect(error?.description.split(separator: ";").count == 5, "\(String(describing: error))")
    }

    @Test func `a file that is not there, or that everybody may write to, is refused by its name`() throws {
        let folder = try ScratchFolder()
        let missing = #expect(throws: SettingError.self) {
            _ = try SettingsFile(path: folder.path + "/none", known: Self.known)
        }
        #expect(missing?.description.contains("/none cannot be used: No such file") == true)
        let open = try folder.makeFile("open.json", "{}", mode: 0o666)
        let error = #expect(throws: SettingError.self) { _ = try SettingsFile(path: open, known: Self.known) }
        #expect(error?.description.contains("chmod o-w") == true)
        let directory = #expect(throws: SettingError.self) {
            _ = try SettingsFile(path: folder.path, known: Self.known)
        }
        #expect(directory?.description.contains("Is a directory") == true)
        _ = try SettingsFile(path: try folder.makeFile("fine.json", "{}"), known: Self.known)
    }

    @Test func `a file that never ends is not read to its end`() {
        let error = #expect(throws: SettingError.self) { _ = try SettingsFile(path: "/dev/zero", known: Self.known) }
        #expect(error?.description.contains("larger than") == true)
    }
}
