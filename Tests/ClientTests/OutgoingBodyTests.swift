import Testing

@testable import Client

@Suite struct OutgoingBodyTests {
    /// So many bytes, or fewer at the end; `nil` where the body cannot go on.
    private func read(_ most: Int, of body: inout OutgoingBody) -> [UInt8]? {
        var space = [UInt8](repeating: 0, count: most)
        return space.withUnsafeMutableBytes { body.read(into: $0) }.map { Array(space.prefix($0)) }
    }

    @Test func `bytes and files go out in parts, and again from where they are asked for`() throws {
        let file = try SpooledFile()
        try file.append([1, 2, 3, 4, 5, 6])
        // Of the file, as of the bytes, there are five.
        for content in [Request.Body.bytes([1, 2, 3, 4, 5]), .file(file.raw, count: 5)] {
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

    @Test func `there is no place outside of it`() {
        var body = OutgoingBody(.bytes([1, 2]))
        let found = [0, 2, 3, -1, 2].map { body.seek(to: $0) }
        #expect(found == [true, true, false, false, true])
        #expect(body.sent == 2)
    }

    @Test func `a file that has fewer bytes than were announced is given up`() throws {
        let file = try SpooledFile()
        try file.append([1, 2])
        var body = OutgoingBody(.file(file.raw, count: 3))
        #expect(read(3, of: &body) == [1, 2])
        #expect(!body.fileChanged)
        #expect(read(3, of: &body) == nil)
        #expect(body.fileChanged)
    }
}
