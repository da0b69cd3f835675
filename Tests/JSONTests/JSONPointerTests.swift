import JSON
import Testing

@Suite struct JSONPointerTests {
    @Test func `the root is the empty text`() {
        #expect(JSONPointer.root.description == "")
    }

    @Test func `names and indices are steps`() {
        #expect(JSONPointer.root.appending("command").appending(0).description == "/command/0")
    }

    @Test(arguments: [
        ("a/b", "/a~1b"), ("m~n", "/m~0n"), ("~1", "/~01"), ("", "/"), (" ", "/ "), ("é\u{301}/", "/é\u{301}~1"),
    ])
    func `tilde and slash in a name are escaped`(name: String, pointer: String) {
        #expect(JSONPointer.root.appending(name).description == pointer)
    }

    @Test func `pointers are compared by their bytes`() {
        let composed = JSONPointer.root.appending("\u{E9}")
        let decomposed = JSONPointer.root.appending("e\u{301}")
        #expect(Set([composed, decomposed, composed]).count == 2)
    }
}
