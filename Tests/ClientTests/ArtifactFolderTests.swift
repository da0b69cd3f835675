import Testing

@testable import Client

@Suite struct ArtifactFolderTests {
    @Test func `a path below the folder is one of names`() throws {
        #expect(try ArtifactFolder.parts(of: "a") == ["a"])
        #expect(try ArtifactFolder.parts(of: "out/ü b/..c") == ["out", "ü b", "..c"])
    }

    @Test(arguments: ["", "/", "/etc/passwd", "../x", "a/../../x", "a/..", ".", "./a", "a/.", "a//b", "a/", "a\0b"])
    func `any other is refused`(path: String) {
        #expect(throws: ClientError.self) { try ArtifactFolder.parts(of: path) }
    }
}
