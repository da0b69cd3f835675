import RunModel
import Testing

struct GlobTests {
    /// Returns whether a pattern matches a path, by the steps of a walk through the directories.
    private func matches(_ pattern: String, _ path: String) throws -> Bool {
        var position = GlobPosition([try Glob(pattern)])
        var names = path.split(separator: "/").map { Array($0.unicodeScalars) }
        let file = names.removeLast()
        for name in names { position = position.match(name).below }
        return !position.match(file).globs.isEmpty
    }

    @Test(arguments: [
        ("a", ["a"], ["b", "aa", "a/a", "x/a"]),
        ("*", ["a", ".hidden", "é", "a\nb"], ["a/b"]),
        ("*.o", ["a.o", ".o", "a.b.o"], ["a.c", "o", "a.o.", "d/a.o"]),
        ("a*b*c", ["abc", "a--b--c", "abbcc", "abcbc"], ["ab", "acb", "abcd"]),
        ("?", ["a", "é", "字"], ["", "ab"]),
        ("a?c", ["abc"], ["ac", "a/c", "abbc"]),
        ("[abc]", ["a", "c"], ["d", "ab"]),
        ("[a-c]x", ["ax", "cx"], ["dx", "-x"]),
        ("[!a-c]", ["d", "-"], ["a"]),
        ("[^a]", ["b"], ["a"]),
        ("[]a]", ["]", "a"], ["b"]),
        ("[!]a]", ["b"], ["]", "a"]),
        ("[a-]", ["a", "-"], ["b"]),
        ("[*]", ["*"], ["a"]),
        ("[[]x]", ["[x]"], ["x"]),
        ("[é-ü]", ["ö"], ["a"]),
        ("out/*", ["out/a"], ["out", "out/a/b", "a"]),
        ("out/**", ["out/a", "out/a/b/c"], ["out", "in/a", "xout/a"]),
        ("**", ["a", "a/b/c"], []),
        ("**/x", ["x", "a/x", "a/b/x"], ["x/y", "ax"]),
        ("a/**/x", ["a/x", "a/b/x", "a/b/c/x"], ["x", "b/x", "a/b/xx"]),
        ("**/a/**/b", ["a/b", "x/a/y/b", "a/a/b/b"], ["b", "a", "b/a"]),
        ("**/**/x", ["x", "a/x"], []),
        ("**/*.c", ["m.c", "a/b/.c"], ["m.h"]),
        ("a**b", ["ab", "axb"], ["a/b"]),
        ("..x/...", ["..x/..."], ["x"]),
    ])
    func `a pattern matches the first paths and not the others`(
        pattern: String,
        matching: [String],
        others: [String]
    ) throws {
        for path in matching { #expect(try matches(pattern, path), "\(path)") }
        for path in others where !path.isEmpty { #expect(try !matches(pattern, path), "\(path)") }
    }

    @Test(arguments: [
        "", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/..", "a/./b", "a\u{0}", "[", "[a", "[]", "[!]", "[b-a]",
        "a[/]b",
        String(repeating: "x", count: 4091), Array(repeating: "x", count: 129).joined(separator: "/"),
    ])
    func `an invalid pattern is refused`(text: String) {
        #expect(throws: Glob.Fault.self) { try Glob(text) }
    }

    @Test func `a directory in which no pattern can match is skipped`() throws {
        let position = GlobPosition([try Glob("src/*.c"), try Glob("out/**/*.o")])
        #expect(position.match(Array("bin".unicodeScalars)).isEmpty)
        #expect(!position.match(Array("src".unicodeScalars)).below.isExhausted)
        let source = position.match(Array("src".unicodeScalars)).below
        #expect(source.match(Array("deep".unicodeScalars)).isEmpty)
        let out = position.match(Array("out".unicodeScalars)).below
        #expect(!out.match(Array("deep".unicodeScalars)).below.isExhausted)
    }

    @Test func `a match by name is distinguished from a match by two stars`() throws {
        let position = GlobPosition([try Glob("a"), try Glob("**")])
        let match = position.match(Array("a".unicodeScalars))
        #expect(Set(match.globs) == [0, 1])
        #expect(match.named == [0])
    }

    @Test func `a pattern designed to be slow is matched quickly`() throws {
        let stars = String(repeating: "a*", count: 120) + "b"
        let deep = Array(repeating: "**/a", count: 64).joined(separator: "/")
        let name = String(repeating: "a", count: 255)
        #expect(try !matches(stars, name))
        let path = Array(repeating: "a", count: 200).joined(separator: "/") + "/c"
        #expect(try !matches(deep, path))
        #expect(try matches(deep, String(path.dropLast(2))))
    }
}
