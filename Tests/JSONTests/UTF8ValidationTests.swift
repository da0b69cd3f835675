import JSON
import Testing

@Suite struct UTF8ValidationTests {
    @Test(arguments: ["", "a", "é", "€", "😀", "\0", "\u{D7FF}\u{E000}\u{10FFFF}"])
    func `UTF-8 is valid`(text: String) {
        let bytes = Array(text.utf8)
        #expect(UTF8Validation.isValid(bytes))
        #expect(UTF8Validation.isValid(bytes[...]))
        #expect(bytes.withUnsafeBytes { UTF8Validation.isValid($0) })
    }

    @Test(
        arguments: [
            [0x80], [0xC3], [0xC0, 0x80], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xFF],
            [0x61, 0xE2, 0x82],
        ] as [[UInt8]]
    )
    func `other bytes are invalid`(bytes: [UInt8]) {
        #expect(!UTF8Validation.isValid(bytes))
        #expect(!bytes.withUnsafeBytes { UTF8Validation.isValid($0) })
    }

    @Test func `an empty buffer is valid`() {
        #expect(UTF8Validation.isValid(UnsafeRawBufferPointer(start: nil, count: 0)))
    }

    @Test func `a cut within a character falls back to the character before it`() {
        let text = "aé€😀\u{10FFFF}\u{D7FF}z"
        let bytes = Array(text.utf8)
        var boundaries: Set<Int> = [0]
        for scalar in text.unicodeScalars { boundaries.insert((boundaries.max() ?? 0) + UTF8.width(scalar)) }
        for length in 0...bytes.count {
            let whole = UTF8Validation.lengthOfWholeCharacters(prefix: bytes[..<length])
            #expect(whole == boundaries.filter { $0 <= length }.max())
        }
    }

    @Test(
        arguments: [
            [0x80], [0x61, 0x80, 0x80, 0x80], [0xC0], [0xF5, 0x80], [0xFF], [0xE0, 0x80], [0xED, 0xA0], [0xF0, 0x80],
            [0xF4, 0x90, 0x80],
            [0xC3, 0xA9, 0x80],
        ] as [[UInt8]]
    )
    func `bytes that can never become a character are not held back`(bytes: [UInt8]) {
        #expect(UTF8Validation.lengthOfWholeCharacters(prefix: bytes) == bytes.count)
    }
}
