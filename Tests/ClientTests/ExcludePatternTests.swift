import Testing

@testable import Client

struct ExcludePatternTests {
    private func excludes(_ patterns: [String], _ path: String) throws -> Bool {
        let isDirectory = path.hasSuffix("/")
        let names = path.split(separator: "/").map(String.init)
        return try patterns.map { try ExcludePattern($0) }.excludes(names, isDirectory: isDirectory)
    }

    @Test(arguments: [
        ("*.o", ["a.o", "d/a.o", "d/e/.o", "d.o/"], ["a.c", "o", "a.o.c"]),
        ("name", ["name", "d/name", "name/"], ["names", "aname"]), ("?", ["a", "d/é"], ["ab"]),
        ("/build", ["build", "build/"], ["d/build"]), ("build/", ["build/", "d/build/"], ["build", "d/build"]),
        ("/build/", ["build/"], ["build", "d/build/"]), ("d/e", ["d/e", "d/e/"], ["x/d/e", "e"]),
        ("d/*", ["d/a", "d/b/"], ["d/b/c", "d/", "a"]), ("**/d", ["d", "x/d", "x/y/d"], ["dd"]),
        ("**/d/e", ["d/e", "x/d/e"], ["d/x/e"]), ("d/**", ["d/a", "d/a/b", "d/a/"], ["d/", "d", "x/d/a"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["b", "x/a/b", "a/bb"]), ("**", ["a", "a/b/"], []),
        ("a**b", ["ab", "axb", "d/axxb"], ["a/b"]), ("[a-c]x", ["ax", "cx"], ["dx", "x", "-x"]),
        ("[!a-c]x", ["dx", "-x"], ["ax"]), ("[^a]", ["b"], ["a"]), ("[]a]", ["]", "a"], ["b"]),
        ("[a\\]]", ["a", "]"], ["\\"]), ("\\*", ["*"], ["a"]), ("\\!a", ["!a"], ["a"]), ("#a", ["#a"], ["a"]),
        (" a ", [" a "], ["a"]), (".*", [".git/", "d/.x"], ["a."]), ("*a*a*b", ["aab", "xaxaxb"], ["aaba"]),
    ])
    func `a pattern matches as in gitignore`(pattern: String, matching: [String], others: [String]) throws {
        for path in matching { #expect(try excludes([pattern], path), "\(path)") }
        for path in others { #expect(try !excludes([pattern], path), "\(path)") }
    }

    @Test func `the last pattern that matches decides`() throws {
        #expect(try !excludes(["*.log", "!keep.log"], "keep.log"))
        #expect(try excludes(["!keep.log", "*.log"], "keep.log"))
        #expect(try excludes(["*.log", "!keep.log", "/keep.log"], "keep.log"))
        #expect(try !excludes(["!a"], "a"))
        #expect(try !excludes([], "a"))
    }

    @Test(arguments: ["", "/", "!", "!/", "a//b", "//", "[a", "[]", "[b-a]", "[[:alpha:]]", "a\\", "a\0"])
    func `an invalid pattern is refused`(pattern: String) {
        #expect(throws: ClientError.self) { try ExcludePattern(pattern) }
    }
}
