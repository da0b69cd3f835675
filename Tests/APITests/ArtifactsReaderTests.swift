import JSON
import Runs
import Testing

@testable import API

struct ArtifactsReaderTests {
    private func read(_ text: String, most: Int = 100) throws -> (patterns: [String], pointers: [String]) {
        var reader = ArtifactsReader(most: most)
        let patterns = reader.patterns(try JSONParser.parse(Array(text.utf8)), JSONPointer.root.appending("artifacts"))
        return (patterns.map(\.text), reader.faults.map(\.pointer.description))
    }

    @Test func `patterns are read in their order`() throws {
        let (patterns, faults) = try read(#"["out/**", "*.xml", "é?"]"#)
        #expect(patterns == ["out/**", "*.xml", "é?"])
        #expect(faults.isEmpty)
        #expect(try read("[]").pointers.isEmpty)
    }

    @Test func `each fault is told at its place`() throws {
        #expect(try read(#"["a", 1, "/b", null, "["]"#).pointers == (1...4).map { "/artifacts/\($0)" })
        for text in ["{}", "\"a\"", "null", "1"] { #expect(try read(text).pointers == ["/artifacts"]) }
        #expect(try read(#"["a", "b", "c"]"#, most: 2).pointers == ["/artifacts"])
    }
}
