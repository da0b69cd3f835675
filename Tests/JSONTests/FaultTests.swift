import JSON
import Testing

@Suite struct FaultTests {
    @Test func `every duplicate is reported with its pointer`() {
        let found = faults(#"{"a":1,"b":{"x":1,"x":2,"x":3},"c":[0,{"y~/":1,"y~/":2}],"a":{"z":1,"z":1}}"#)
        #expect(found.map(\.pointer.description) == ["/b/x", "/b/x", "/c/1/y~0~1", "/a", "/a/z"])
    }

    @Test func `a duplicate's detail says where it stands again`() {
        #expect(
            faults(#"{"a":1,"a":1}"#).map(\.detail) == ["the object has this member more than once, again at byte 7"]
        )
    }

    @Test func `the error of syntax comes last, after the duplicates before it`() {
        let found = faults(#"{"a":1,"a":1,"b":[true,{"c":tru}],"a":1}"#)
        #expect(found.map(\.pointer.description) == ["/a", "/b/1/c"])
        #expect(found.last?.detail == "expected true at byte 28, found 't'")
    }

    @Test(arguments: [
        ("[1, 2,]", "", "expected a value after ',' at byte 6, found ']'"),
        (#"{"a": [1 2]}"#, "/a", "expected ',' or ']' at byte 9, found '2'"),
        (#"{"a": 1,}"#, "", "expected a member name in '\"' at byte 8, found '}'"),
        (#"{"a" 1}"#, "/a", "expected ':' at byte 5, found '1'"),
        (#"{"a": [0, "x"#, "/a/1", "expected the string's closing '\"' at byte 12, found the end of the text"),
        ("[1.\n]", "/0", "expected a digit at byte 3, found 0x0A"),
        ("[01]", "/0", "a number must not have leading zeros, at byte 2"),
        (#"["\q"]"#, "/0", #"expected one of '"\/bfnrtu' after '\' at byte 3, found 'q'"#),
        (#"["\ud800"]"#, "/0", "half a surrogate pair, at byte 2"),
        ("1 x", "", "expected the end of the text at byte 2, found 'x'"),
    ])
    func `an error of syntax says where and what was expected`(text: String, pointer: String, detail: String) {
        #expect(faults(text).map(\.pointer.description) == [pointer])
        #expect(faults(text).map(\.detail) == [detail])
    }

    @Test func `a text nested too deeply is told so`() {
        let found = faults(String(repeating: "[", count: 100))
        #expect(found.map(\.detail) == ["more than 64 levels of nesting, at byte 64"])
        #expect(found.map(\.pointer.description) == [String(repeating: "/0", count: 64)])
    }
}
