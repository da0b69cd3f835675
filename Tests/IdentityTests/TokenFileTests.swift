import System
import Testing

@testable import Identity

@Suite struct TokenFileTests {
    static let digest = String(repeating: "0f", count: 32)
    static let other = String(repeating: "a1", count: 32)

    @Test func `a file is read as it was written`() throws {
        let entries = [
            TokenFile.Entry(
                Principal(
                    name: "ci",
                    roles: [.run, .read],
                    limits: PrincipalLimits(concurrency: 2, queued: 0, runsPerMinute: 60)
                ),
                digests: [try #require(SHA256Digest(hexadecimal: Self.digest))]
            ),
            TokenFile.Entry(Principal(name: "root", roles: [.admin]), digests: []),
        ]
        #expect(try TokenFile(TokenFile(entries: entries).text).entries == entries)
    }

    @Test func `a file without principals is valid`() throws {
        #expect(try TokenFile(TokenFile().text).entries.isEmpty)
        #expect(try TokenFile(Array(#"{"principals": []}"#.utf8)).entries.isEmpty)
    }

    static let faults: [(String, String)] = [
        ("", "expected a value"),
        ("[]", "must be an object, not an array"),
        ("{}", "/principals: must be an array"),
        (#"{"principals": [], "principals": []}"#, "more than once"),
        (#"{"principals": [], "tokens": []}"#, "/tokens: is not a known member"),
        (#"{"principals": [1]}"#, "/principals/0: must be an object, not a number"),
        (#"{"principals": [{"name": "a b", "roles": ["run"], "sha256": []}]}"#, "/principals/0/name: must be"),
        (#"{"principals": [{"name": "", "roles": ["run"], "sha256": []}]}"#, "/principals/0/name: must be"),
        (#"{"principals": [{"roles": ["run"], "sha256": []}]}"#, "/principals/0/name: must be"),
        (#"{"principals": [{"name": "a", "roles": [], "sha256": []}]}"#, "/principals/0/roles: must be"),
        (#"{"principals": [{"name": "a", "roles": ["write"], "sha256": []}]}"#, "/principals/0/roles/0: must be"),
        (#"{"principals": [{"name": "a", "roles": ["run"]}]}"#, "/principals/0/sha256: must be"),
        (#"{"principals": [{"name": "a", "roles": ["run"], "sha256": ["0"]}]}"#, "/principals/0/sha256/0: must be"),
        (
            #"{"principals": [{"name": "a", "roles": ["run"], "sha256": [], "concurrency": 0}]}"#,
            "/principals/0/concurrency: must be"
        ),
        (
            #"{"principals": [{"name": "a", "roles": ["run"], "sha256": [], "token": "x"}]}"#,
            "/principals/0/token: is not a known member"
        ),
        (
            """
            {"principals": [{"name": "a", "roles": ["run"], "sha256": []}, {"name": "a", "roles": ["run"], "sha256": []}]}
            """,
            "/principals/1/name: must be unique; another principal has this name"
        ),
        (
            """
            {"principals": [{"name": "a", "roles": ["run"], "sha256": ["\(digest)"]},
             {"name": "b", "roles": ["run"], "sha256": ["\(digest)"]}]}
            """,
            "/principals/1/sha256: contains a digest that occurs twice"
        ),
    ]

    @Test(arguments: faults.indices)
    func `an error names the fault and its position`(index: Int) {
        let (text, detail) = Self.faults[index]
        let error = #expect(throws: TokenFileError.self) { try TokenFile(Array(text.utf8)) }
        #expect(error?.description.contains(detail) == true, "\(String(describing: error))")
    }

    @Test func `an error lists every fault`() {
        let text = #"{"principals": [{"name": "", "roles": ["x"], "sha256": ["0"], "runsPerMinute": 0.5}]}"#
        let error = #expect(throws: TokenFileError.self) { try TokenFile(Array(text.utf8)) }
        #expect(error?.description.split(separator: ";").count == 4)
    }
}
