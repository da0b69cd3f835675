import JSON
import RunModel
import TestSupport
import Testing

@testable import RunAPI

@Suite struct OutputDocumentTests {
    @Test func `UTF-8 is sent as text`() throws {
        let document = try render(bytes: Array("line\n\t\"é€😀\u{0}".utf8))
        #expect(document["text"] == .string("line\n\t\"é€😀\u{0}"))
        #expect(document["encoding"] == .string("utf-8"))
        #expect(document["truncated"] == .bool(false))
        #expect(document["inlined"] == nil)
    }

    @Test(
        arguments: [
            ([0xFF], "/w=="), ([0x61, 0xC3], "YcM="), ([0xED, 0xA0, 0x80], "7aCA"), ([0xC0, 0x80], "wIA="),
            ([0xF4, 0x90, 0x80, 0x80], "9JCAgA=="),
        ] as [([UInt8], String)]
    )
    func `other bytes are sent in base64`(bytes: [UInt8], text: String) throws {
        let document = try render(bytes: bytes)
        #expect(document["text"] == .string(text))
        #expect(document["encoding"] == .string("base64"))
        #expect(document["bytes"] == .number("\(bytes.count)"))
    }

    @Test(arguments: 1...3)
    func `a limit never splits a character`(kept: Int) throws {
        let face = Array("😀".utf8)
        let document = try render(bytes: Array("ok".utf8) + face.prefix(kept), total: 6)
        #expect(document["text"] == .string("ok"))
        #expect(document["encoding"] == .string("utf-8"))
        #expect(document["truncated"] == .bool(true))
        #expect(document["bytes"] == .number("6"))
    }

    @Test func `a limit between characters removes nothing`() throws {
        #expect(try render(bytes: Array("ok😀".utf8), total: 100)["text"] == .string("ok😀"))
    }

    @Test func `in base64 every kept byte is sent`() throws {
        let document = try render(bytes: [0xFF, 0xE2], total: 3)
        #expect(document["encoding"] == .string("base64"))
        #expect(document["text"] == .string("/+I="))
    }

    @Test func `a file of one mebibyte is inlined whole`() throws {
        let directory = try ScratchDirectory()
        let count = 1 << 20
        let path = try directory.makeFile("out", String(repeating: "x", count: count))
        let document = try render(.file(path: path, count: count), total: count)
        #expect(document["text"] == .string(String(repeating: "x", count: count)))
        #expect(document["inlined"] == nil)
    }

    @Test func `one mebibyte of a larger file is inlined and marked as partial`() throws {
        let directory = try ScratchDirectory()
        let count = 1 << 20 + 1
        let path = try directory.makeFile("out", "a" + String(repeating: "é", count: 1 << 19))
        let document = try render(.file(path: path, count: count), total: count)
        // The last character would be split.
        #expect(document["text"] == .string("a" + String(repeating: "é", count: 1 << 19 - 1)))
        #expect(document["inlined"] == .bool(false))
        #expect(document["truncated"] == .bool(false))
        #expect(document["bytes"] == .number("\(count)"))
    }

    @Test(arguments: [false, true])
    func `the end of larger output is inlined if the end was to be kept`(isFile: Bool) throws {
        let directory = try ScratchDirectory()
        let text = String(repeating: "é", count: 1 << 19) + "z"
        let count = text.utf8.count
        let path = try directory.makeFile("out", text)
        let content = isFile ? CapturedOutput.Content.file(path: path, count: count) : .bytes(Array(text.utf8))
        let document = try render(content, total: count, keepOutput: .tail)
        // The first character would be split.
        #expect(document["text"] == .string(String(repeating: "é", count: 1 << 19 - 1) + "z"))
        #expect(document["inlined"] == .bool(false))
        #expect(document["truncated"] == .bool(false))
        #expect(document["cut"] == nil)
    }

    @Test func `one mebibyte of larger output in memory is inlined too`() throws {
        let document = try render(bytes: [UInt8](repeating: 120, count: 1 << 20 + 1))
        #expect(document["inlined"] == .bool(false))
    }

    @Test func `a file that no longer exists is not inlined`() throws {
        let document = try render(.file(path: "/does/not/exist", count: 5), total: 5)
        #expect(document["text"] == .string(""))
        #expect(document["inlined"] == .bool(false))
        #expect(document["bytes"] == .number("5"))
    }

    private func render(bytes: [UInt8], total: Int? = nil) throws -> JSONValue {
        try render(.bytes(bytes), total: total ?? bytes.count)
    }

    private func render(
        _ content: CapturedOutput.Content,
        total: Int,
        keepOutput: KeepOutput = .head
    ) throws -> JSONValue {
        var writer = JSONWriter()
        let output = CapturedOutput(content: content, totalBytes: total)
        writer.value(OutputDocument(output: output, keepOutput: keepOutput))
        return try JSONParser.parse(writer.bytes)
    }
}
