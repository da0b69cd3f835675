import Testing

@testable import Client

@Suite struct OutgoingBodyTests {
    /// Reads up to `count` bytes; `nil` if the body must be aborted.
    private func read(_ count: Int, of body: inout OutgoingBody) -> [UInt8]? {
        var space = [UInt8](repeating: 0, count: count)
        return space.withUnsafeMutableBytes { body.read(into: $0) }.map { Array(space.prefix($0)) }
    }

    @Test func `bytes and files are read in parts, and again from any offset`() throws {
        let file = try SpooledFile()
        try file.append([1, 2, 3, 4, 5, 6])
        // The body has five bytes in both cases, although the file has six.
        for content in [OutgoingRequest.Body.bytes([1, 2, 3, 4, 5]), .file(file.raw, count: 5)] {
            var body = OutgoingBody(content)
            #expect(read(3, of: &body) == [1, 2, 3])
            #expect(read(3, of: &body) == [4, 5])
            #expect(read(3, of: &body) == [])
            #expect(body.sent == 5)
            let found = body.seek(to: 1)
            #expect(found)
            #expect(read(9, of: &body) == [2, 3, 4, 5])
        }
    }

    @Test func `an offset outside the body is refused`() {
        var body = OutgoingBody(.bytes([1, 2]))
        let found = [0, 2, 3, -1, 2].map { body.seek(to: $0) }
        #expect(found == [true, true, false, false, true])
        #expect(body.sent == 2)
    }

    @Test func `a file with fewer bytes than announced aborts the request`() throws {
        let file = try SpooledFile()
        try file.append([1, 2])
        var body = OutgoingBody(.file(file.raw, count: 3))
        #expect(read(3, of: &body) == [1, 2])
        #expect(!body.fileChanged)
        #expect(read(3, of: &body) == nil)
        #expect(body.fileChanged)
    }
}
