internal import System

/// The header fields of a request in the order received.
///
/// Names are looked up without regard to case.
///
/// One array holds the text of all fields, and only requested fields become strings: most requests carry a dozen
/// fields, of which a handler reads two.
package struct RequestHeaders: Sendable, Sequence {
    /// The positions of a field in the text.
    private struct Position: Sendable {
        let name: Range<Int>
        let value: Range<Int>
    }

    private var text: [UInt8]
    private var positions: [Position]

    /// Creates a list of fields.
    package init(_ fields: [HeaderField] = []) {
        text = []
        positions = []
        for field in fields {
            var (name, value) = (field.name, field.value)
            name.withUTF8 { name in value.withUTF8 { value in append(name: name, value: value) } }
        }
    }

    /// The number of fields.
    ///
    /// A repeated field counts each time.
    package var count: Int { positions.count }

    /// Returns the value of the first field with this name.
    package subscript(_ name: String) -> String? {
        guard let position = positions.first(where: { matches($0, name) }) else { return nil }
        return string(position.value)
    }

    /// Returns the values of all fields with this name, in order.
    package func values(of name: String) -> [String] {
        positions.filter { matches($0, name) }.map { string($0.value) }
    }

    /// Returns an iterator over the fields in the order received.
    package func makeIterator() -> AnyIterator<HeaderField> {
        var rest = positions.makeIterator()
        return AnyIterator { rest.next().map { HeaderField(string($0.name), string($0.value)) } }
    }

    mutating func reserveCapacity(bytes: Int, fields: Int) {
        text.reserveCapacity(bytes)
        positions.reserveCapacity(fields)
    }

    /// Adds a field without the white space around its value (RFC 9110, 5.5).
    ///
    /// MHD removes only leading white space.
    mutating func append(name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>) {
        var end = value.count
        while end > 0, value[end - 1] == 0x20 || value[end - 1] == 0x09 { end -= 1 }
        let start = text.count
        text.append(contentsOf: name)
        let middle = text.count
        text.append(contentsOf: value[..<end])
        positions.append(Position(name: start..<middle, value: middle..<text.count))
    }

    private func string(_ range: Range<Int>) -> String { String(decoding: text[range], as: UTF8.self) }

    private func matches(_ position: Position, _ name: String) -> Bool {
        let wanted = name.utf8
        guard wanted.count == position.name.count else { return false }
        return zip(text[position.name], wanted).allSatisfy { $0.lowercasedASCII == $1.lowercasedASCII }
    }
}

/// The name and the value of a header field.
package struct HeaderField: Equatable, Hashable, Sendable {
    /// The name, in the spelling in which it is sent.
    package var name: String
    /// The value, without white space around it.
    package var value: String

    /// Creates a field.
    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}
