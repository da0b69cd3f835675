import Testing

@testable import Client

@Suite struct LineBufferTests {
    private func lines(_ parts: [String], maximumBytes: Int = 100) throws -> [String] {
        var buffer = LineBuffer(maximumBytes: maximumBytes)
        var lines: [String] = []
        for part in parts {
            try Array(part.utf8).withUnsafeBytes { bytes in
                try buffer.append(bytes) { lines.append(String(decoding: $0, as: UTF8.self)) }
            }
        }
        return lines
    }

    @Test func `lines are complete wherever the parts are cut`() throws {
        let text = "one\n\ntwo and more\nthree\nrest"
        let expected = ["one", "", "two and more", "three"]
        #expect(try lines([text]) == expected)
        #expect(try lines(text.map { String($0) }) == expected)
        for cut in 0...text.count {
            #expect(try lines([String(text.prefix(cut)), String(text.dropFirst(cut))]) == expected)
        }
    }

    @Test func `a line over the limit is refused, even before its end arrives`() throws {
        #expect(try lines(["12345\n"], maximumBytes: 5) == ["12345"])
        #expect(throws: ClientError.self) { try lines(["123456\n"], maximumBytes: 5) }
        #expect(throws: ClientError.self) { try lines(["123", "456"], maximumBytes: 5) }
    }
}
