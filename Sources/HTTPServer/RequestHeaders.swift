/// The header fields of a request, looked up without regard to case, in the order received.
///
/// The text of all of them is one array, and a `String` is made only of what is asked for: most requests
/// carry a dozen fields of which a handler reads two.
public struct RequestHeaders: Sendable, Sequence {
    private struct Place: Sendable {
        let name: Range<Int>
        let value: Range<Int>
    }

    private var text: [UInt8]
    private var places: [Place]

    /// Creates a list of fields.
    public init(_ fields: [HeaderField] = []) {
        text = []
        places = []
        for field in fields {
            var (name, value) = (field.name, field.value)
            name.withUTF8 { name in value.withUTF8 { value in append(name: name, value: value) } }
        }
    }

    /// How many fields there are; a repeated one counts each time.
    public var count: Int { places.count }

    /// The value of the first field of that name.
    public subscript(_ name: String) -> String? {
        guard let place = places.first(where: { matches($0, name) }) else { return nil }
        return string(place.value)
    }

    /// All values of the fields of that name, in order.
    public func values(of name: String) -> [String] {
        places.filter { matches($0, name) }.map { string($0.value) }
    }

    /// Goes through the fields in the order received.
    public func makeIterator() -> AnyIterator<HeaderField> {
        var rest = places.makeIterator()
        return AnyIterator { rest.next().map { HeaderField(string($0.name), string($0.value)) } }
    }

    mutating func reserveCapacity(bytes: Int, fields: Int) {
        text.reserveCapacity(bytes)
        places.reserveCapacity(fields)
    }

    /// Adds a field, without the white space around its value (RFC 9110, 5.5), of which MHD leaves the trailing.
    mutating func append(name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>) {
        var end = value.count
        while end > 0, value[end - 1] == 0x20 || value[end - 1] == 0x09 { end -= 1 }
        let start = text.count
        text.append(contentsOf: name)
        let middle = text.count
        text.append(contentsOf: value[..<end])
        places.append(Place(name: start..<middle, value: middle..<text.count))
    }

    private func string(_ range: Range<Int>) -> String { String(decoding: text[range], as: UTF8.self) }

    private func matches(_ place: Place, _ name: String) -> Bool {
        let wanted = name.utf8
        guard wanted.count == place.name.count else { return false }
        return zip(text[place.name], wanted).allSatisfy { $0.lowercasedASCII == $1.lowercasedASCII }
    }
}
