import JSON
import Testing

@Suite struct JSONWriterTests {
    @Test func `members, elements and nested values are separated by commas`() {
        let text = written { writer in
            writer.object { writer in
                writer.member("id", "x")
                writer.member("limits") { writer in
                    writer.object { $0.member("memoryBytes", 512 as UInt64) }
                }
                writer.member("command") { writer in
                    writer.array { writer in
                        writer.element("echo")
                        writer.element(1)
                        writer.object { _ in }
                        writer.array { $0.element(nil) }
                        writer.element(true)
                    }
                }
                writer.member("labels") { $0.object { _ in } }
                writer.member("next", nil)
            }
        }
        #expect(
            text
                == #"{"id":"x","limits":{"memoryBytes":512},"command":["echo",1,{},[null],true],"labels":{},"next":null}"#
        )
    }

    @Test func `an absent value is null`() {
        let text = written { writer in
            writer.object { writer in
                writer.member("a", nil as String?)
                writer.member("b", nil as Int?)
                writer.member("c", 3 as Int64?)
            }
        }
        #expect(text == #"{"a":null,"b":null,"c":3}"#)
    }

    @Test(arguments: [
        ("", ""), ("\"\\", #"\"\\"#), ("\u{08}\u{09}\u{0A}\u{0C}\u{0D}", #"\b\t\n\f\r"#),
        ("\0\u{01}\u{0B}\u{1B}\u{1F}", #"\u0000\u0001\u000b\u001b\u001f"#),
        ("/", "/"), ("\u{7F}", "\u{7F}"), ("\u{2028}\u{2029}", "\u{2028}\u{2029}"), ("é😀", "é😀"),
        ("eight by\"tes", #"eight by\"tes"#), ("1234567\n", #"1234567\n"#), ("\n12345678", #"\n12345678"#),
    ])
    func `only characters that need an escape are escaped`(string: String, expected: String) {
        #expect(written { $0.value(string) } == "\"\(expected)\"")
        #expect(written { $0.value(utf8: Array(string.utf8)) } == "\"\(expected)\"")
        #expect(written { writer in writer.object { $0.member(string, 1) } } == "{\"\(expected)\":1}")
    }

    @Test func `bytes of any collection become a string`() {
        let bytes = Array("xa\"bx".utf8)
        let text = written { writer in
            writer.array { writer in
                writer.element(utf8: bytes)
                writer.element(utf8: bytes[1..<4])
                bytes.withUnsafeBufferPointer { writer.element(utf8: $0) }
                bytes.withUnsafeBytes { writer.element(utf8: $0) }
                writer.element(utf8: bytes.lazy.filter { $0 != UInt8(ascii: "x") })
                writer.element(base64: bytes[1..<4])
            }
        }
        #expect(text == #"["xa\"bx","a\"b","xa\"bx","xa\"bx","a\"b","YSJi"]"#)
    }

    @Test func `a member may be written from bytes`() {
        let text = written { writer in
            writer.object { writer in
                writer.member("text", utf8: Array("é\n".utf8))
                writer.member("data", base64: [0xFF, 0x00])
            }
        }
        #expect(text == #"{"text":"é\n","data":"/wA="}"#)
    }

    @Test(
        arguments: [
            (0, "0"), (-0.0, "-0"), (10, "10"), (0.1, "0.1"), (1.5, "1.5"), (1e16, "1e+16"), (1e-7, "1e-07"),
            (.leastNonzeroMagnitude, "5e-324"),
            (.greatestFiniteMagnitude, "1.7976931348623157e+308"), (0.0021, "0.0021"),
        ] as [(Double, String)]
    )
    func `a double is written in its shortest form`(double: Double, expected: String) {
        #expect(written { $0.value(double) } == expected)
    }

    @Test(arguments: [Double.infinity, -.infinity, .nan, .signalingNaN])
    func `infinity and NaN become null`(double: Double) {
        #expect(written { $0.value(double) } == "null")
    }

    @Test func `integers keep all their digits`() {
        #expect(written { $0.value(UInt64.max) } == "18446744073709551615")
        #expect(written { $0.value(Int64.min) } == "-9223372036854775808")
    }

    @Test func `an error in a closure is rethrown`() {
        struct Failure: Error {}
        #expect(throws: Failure.self) {
            var writer = JSONWriter()
            try writer.object { _ throws(Failure) in throw Failure() }
        }
    }

    @Test func `a type may define its JSON`() {
        struct Limit: JSONWritable {
            func write(to writer: inout JSONWriter) {
                writer.object { $0.member("processes", 64) }
            }
        }
        #expect(written { writer in writer.array { $0.element(Limit()) } } == #"[{"processes":64}]"#)
    }

    @Test func `a second value ends the program`() async {
        await #expect(processExitsWith: .failure) {
            var writer = JSONWriter()
            writer.value(1)
            writer.value(2)
        }
    }

    @Test func `a member without a value ends the program`() async {
        await #expect(processExitsWith: .failure) {
            var writer = JSONWriter()
            writer.object { writer in writer.member("a") { _ in } }
        }
    }

    @Test func `an element in an object ends the program`() async {
        await #expect(processExitsWith: .failure) {
            var writer = JSONWriter()
            writer.object { $0.element(1) }
        }
    }

    @Test func `a member in an array ends the program`() async {
        await #expect(processExitsWith: .failure) {
            var writer = JSONWriter()
            writer.array { $0.member("a", 1) }
        }
    }
}
