import JSON

/// Values of all kinds, with the characters and numbers that parsers trip over.
struct RandomTree {
    private static let scalars: [Unicode.Scalar] = [
        "a", "z", " ", "\"", "\\", "/", "\0", "\n", "\u{1F}", "\u{7F}", "é", "\u{301}", "\u{2028}", "\u{D7FF}",
        "\u{E000}",
        "\u{FFFF}", "😀", "\u{10FFFF}",
    ]

    private var generator: SeededGenerator

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
    }

    mutating func value(depth: Int) -> JSONValue {
        switch Int.random(in: 0..<(depth > 0 ? 8 : 5), using: &generator) {
        case 0: return .null
        case 1: return .bool(.random(using: &generator))
        case 2: return .make(Int64(truncatingIfNeeded: generator.next()))
        case 3:
            let double = Double(bitPattern: generator.next())
            return JSONNumber(literal: double.description).map(JSONValue.number) ?? .null
        case 4: return .string(string())
        case 5, 6: return .array((0..<count()).map { _ in value(depth: depth - 1) })
        default:
            // The index makes the names differ.
            return .object(
                JSONObject(
                    members: (0..<count()).map { .init(name: string() + String($0), value: value(depth: depth - 1)) }
                )
            )
        }
    }

    private mutating func string() -> String {
        var string = ""
        for _ in 0..<Int.random(in: 0..<20, using: &generator) {
            string.unicodeScalars.append(Self.scalars[Int.random(in: 0..<Self.scalars.count, using: &generator)])
        }
        return string
    }

    private mutating func count() -> Int { Int.random(in: 0..<12, using: &generator) }
}
