import Testing

@testable import Client

@Suite struct ArtifactDirectoryTests {
    @Test func `a path below the directory is split into names`() throws {
        #expect(try ArtifactDirectory.parts(of: "a") == ["a"])
        #expect(try ArtifactDirectory.parts(of: "out/ü b/..c") == ["out", "ü b", "..c"])
    }

    @Test(arguments: ["", "/", "/etc/passwd", "../x", "a/../../x", "a/..", ".", "./a", "a/.", "a//b", "a/", "a\0b"])
    func `a path that could leave the directory is refused`(path: String) {
        #expect(throws: ClientError.self) { try ArtifactDirectory.parts(of: path) }
    }
}
