import Testing

@testable import Client

@Suite struct FileArgumentTests {
    @Test(arguments: [
        ("a", "a", "a"), ("src/a.c", "src/a.c", "src/a.c"), ("a=/etc/hosts", "a", "/etc/hosts"), ("a=b=c", "a", "b=c"),
        ("..a=x", "..a", "x"), ("a=..", "a", ".."), (".", "", "."), ("./", "", "./"), (".=x", "", "x"),
        ("a/", "a", "a/"),
        ("./a", "a", "./a"), ("a//b/.", "a/b", "a//b/."),
    ])
    func `an argument has a path in the sandbox and a local source`(text: String, path: String, source: String) throws {
        let argument = try FileArgument(text)
        #expect(argument.path == path && argument.source == source)
    }

    @Test(arguments: ["", "=x", "a=", "/a", "/a=x", "../a", "a/../b=x", "..", "..=x", "./..=x", "/", "/="])
    func `a path that is not below the run's directory is refused`(text: String) {
        #expect(throws: ClientError.self) { try FileArgument(text) }
    }
}
