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

    @Test(arguments: [(0, "0 bytes"), (1, "1 byte"), (2, "2 bytes"), (-1, "-1 bytes"), (101, "101 bytes")])
    func `a noun agrees with its number`(number: Int, text: String) {
        #expect("\(number, counting: "byte")" == text)
    }

    @Test(arguments: [(0, "0 entries"), (1, "1 entry"), (2, "2 entries")])
    func `a noun can have a plural of its own`(number: UInt8, text: String) {
        #expect("\(number, counting: "entry", plural: "entries")" == text)
    }
}
