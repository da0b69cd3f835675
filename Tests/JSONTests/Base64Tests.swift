import JSON
import Testing

@Suite struct Base64Tests {
    /// RFC 4648 §10.
    private static let vectors = [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ]

    @Test(arguments: vectors)
    func `the RFC's vectors are encoded`(plain: String, encoded: String) {
        var text = Array(">".utf8)
        Base64.encode(plain.utf8, into: &text)
        #expect(String(decoding: text, as: UTF8.self) == ">" + encoded)
    }

    @Test(arguments: vectors)
    func `the RFC's vectors are decoded`(plain: String, encoded: String) {
        #expect(Base64.decode(encoded) == Array(plain.utf8))
        #expect(Base64.decode(Array(encoded.utf8)) == Array(plain.utf8))
    }

    @Test func `bytes of every length survive encoding and decoding`() {
        for length in 0..<300 {
            let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ length) }
            var text: [UInt8] = []
            Base64.encode(bytes, into: &text)
            #expect(Base64.decode(text) == bytes)
        }
    }

    @Test func `plus and slash are decoded`() {
        #expect(Base64.decode("+/+/") == [0xFB, 0xFF, 0xBF])
    }

    @Test(arguments: [
        "Z", "Zg", "Zg=", "Zm8", "Zg==\n", "Zg= =", "Zm 9v", "Zm9v\n", " Zm9v", "=", "==", "===", "====", "Z===",
        "=Zg=", "Zg==Zg==",
        "Zm8=Zm9v", "Zm9v====", "Zm9-", "Zm9_", "Zm9*", "Zm9v*m9v", "Z*9vZm9v", "Zé==", "Zg=A", "Zm\09",
    ])
    func `any text except the exact encoding is refused`(text: String) {
        #expect(Base64.decode(text) == nil)
    }

    @Test(arguments: ["Zh==", "Zv==", "Zm9=", "//==", "///="])
    func `unused bits must be zero`(text: String) {
        #expect(Base64.decode(text) == nil)
    }
}
