/// Writes values one behind the other, as short as they are: what a row's record is made of.
struct RecordWriter {
    private(set) var bytes: [UInt8] = []

    /// Small numbers take one byte, seven bits each, the sign lowest.
    mutating func write(_ number: Int64) {
        var rest = UInt64(bitPattern: number << 1 ^ number >> 63)
        while rest >= 128 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 128)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    mutating func write(_ number: Int) { write(Int64(number)) }

    mutating func write(_ value: Bool) { write(value ? 1 : 0) }

    mutating func write(_ text: String) {
        write(text.utf8.count)
        bytes.append(contentsOf: text.utf8)
    }

    mutating func write(_ content: [UInt8]) {
        write(content.count)
        bytes.append(contentsOf: content)
    }

    mutating func write(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        write(seconds)
        write(attoseconds)
    }

    mutating func write(_ texts: [String]) {
        write(texts.count)
        for text in texts { write(text) }
    }

    mutating func write(_ texts: [String: String]) {
        write(texts.count)
        for (key, value) in texts.sorted(by: { $0.key < $1.key }) {
            write(key)
            write(value)
        }
    }

    mutating func write<Value>(_ value: Value?, _ body: (inout RecordWriter, Value) -> Void) {
        write(value != nil)
        if let value { body(&self, value) }
    }
}
