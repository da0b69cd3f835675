import Testing

@testable import System

@Suite struct SpellingTests {
    private static let names = [
        "command", "env", "stdin", "timeoutSeconds", "graceSeconds", "memoryBytes", "limits", "labels", "image",
    ]

    @Test(arguments: [
        ("comand", "command"), ("Command", "command"), ("cmomand", "command"), ("timeout", "timeoutSeconds"),
        ("timeoutseconds", "timeoutSeconds"), ("memory", "memoryBytes"), ("label", "labels"), ("limit", "limits"),
        ("envs", "env"), ("graceSecond", "graceSeconds"),
    ])
    func `a misspelt name has a nearest one`(text: String, nearest: String) {
        #expect(Spelling.nearest(to: text, in: Self.names) == nearest)
    }

    @Test(arguments: ["", "x", "surprise", "user", String(repeating: "command", count: 10)])
    func `another text has none`(text: String) {
        #expect(Spelling.nearest(to: text, in: Self.names) == nil)
    }

    @Test(arguments: [("", "", 0), ("a", "", 1), ("ab", "ba", 1), ("abc", "abd", 1), ("kitten", "sitting", 3)])
    func `the distance counts edits`(first: String, second: String, distance: Int) {
        #expect(Spelling.distance(Array(first.utf8), Array(second.utf8)) == distance)
        #expect(Spelling.distance(Array(second.utf8), Array(first.utf8)) == distance)
    }
}
