/// Reads what ``RecordWriter`` wrote.
struct RecordReader {
    /// The bytes are not what was written.
    struct Damage: Error {}

    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func number() throws(Damage) -> Int64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard let byte = rest.popFirst() else { throw Damage() }
            value |= UInt64(byte & 127) << shift
            if byte < 128 { return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1) }
        }
        throw Damage()
    }

    mutating func int() throws(Damage) -> Int { Int(try number()) }

    mutating func bool() throws(Damage) -> Bool { try number() != 0 }

    mutating func bytes() throws(Damage) -> [UInt8] {
        let count = try int()
        guard (0...rest.count).contains(count) else { throw Damage() }
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }

    mutating func text() throws(Damage) -> String { String(decoding: try bytes(), as: UTF8.self) }

    mutating func duration() throws(Damage) -> Duration {
        let seconds = try number()
        return Duration(secondsComponent: seconds, attosecondsComponent: try number())
    }

    mutating func texts() throws(Damage) -> [String] {
        var texts: [String] = []
        for _ in 0..<max(try int(), 0) { texts.append(try text()) }
        return texts
    }

    mutating func pairs() throws(Damage) -> [String: String] {
        var pairs: [String: String] = [:]
        for _ in 0..<max(try int(), 0) {
            let key = try text()
            pairs[key] = try text()
        }
        return pairs
    }

    mutating func optional<Value>(
        _ body: (inout RecordReader) throws(Damage) -> Value
    ) throws(Damage) -> Value? {
        try bool() ? try body(&self) : nil
    }
}
