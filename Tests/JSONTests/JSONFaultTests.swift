import JSON
import Testing

@Suite struct JSONFaultTests {
    @Test func `every duplicate is reported with its pointer`() {
        let found = faults(#"{"a":1,"b":{"x":1,"x":2,"x":3},"c":[0,{"y~/":1,"y~/":2}],"a":{"z":1,"z":1}}"#)
        #expect(found.map(\.pointer.description) == ["/b/x", "/b/x", "/c/1/y~0~1", "/a", "/a/z"])
    }

    @Test func `the detail of a duplicate names its offset`() {
        #expect(
            faults(#"{"a":1,"a":1}"#).map(\.detail) == ["the object has this member more than once, again at byte 7"]
        )
    }

    @Test func `a syntax error is reported last, after the duplicates before it`() {
        let found = faults(#"{"a":1,"a":1,"b":[true,{"c":tru}],"a":1}"#)
        #expect(found.map(\.pointer.description) == ["/a", "/b/1/c"])
        #expect(found.last?.detail == "expected true at byte 28, found 't'")
    }

    @Test(arguments: [
        ("[1, 2,]", "", "expected a value after ',' at byte 6, found ']'"),
        (#"{"a": [1 2]}"#, "/a", "expected ',' or ']' at byte 9, found '2'"),
        (#"{"a": 1,}"#, "", "expected a member name in double quotes at byte 8, found '}'"),
        (#"{"a" 1}"#, "/a", "expected ':' at byte 5, found '1'"),
        (#"{"a": [0, "x"#, "/a/1", "expected the string's closing '\"' at byte 12, found the end of the text"),
        ("[1.\n]", "/0", "expected a digit at byte 3, found 0x0A"),
        ("[01]", "/0", "a number must not have leading zeros, at byte 2"),
        (#"["\q"]"#, "/0", #"expected one of '"\/bfnrtu' after '\' at byte 3, found 'q'"#),
        (#"["\ud800"]"#, "/0", "an unpaired surrogate is not allowed, at byte 2"),
        ("1 x", "", "expected the end of the text at byte 2, found 'x'"),
    ])
    func `a syntax error names its offset and the expected token`(text: String, pointer: String, detail: String) {
        #expect(faults(text).map(\.pointer.description) == [pointer])
        #expect(faults(text).map(\.detail) == [detail])
    }

    @Test func `a text that is nested too deeply is refused with its depth`() {
        let found = faults(String(repeating: "[", count: 100))
        #expect(found.map(\.detail) == ["the text has more than 64 levels of nesting, at byte 64"])
        #expect(found.map(\.pointer.description) == [String(repeating: "/0", count: 64)])
    }
}

@Suite struct JSONPointerTests {
    @Test func `the root pointer is empty`() {
        #expect(JSONPointer.root.description == "")
    }

    @Test func `names and indices are separated by slashes`() {
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
