import JSON
import Testing

@Suite struct RoundTripTests {
    @Test func `a random value survives writing and parsing`() throws {
        for seed in 0..<500 as Range<UInt64> {
            var tree = RandomTree(seed: seed)
            let value = tree.value(depth: 4)
            var writer = JSONWriter(capacity: 0)
            writer.value(value)
            #expect(try JSONParser.parse(writer.bytes) == value, "seed \(seed)")
        }
    }

    @Test func `a random double survives writing and parsing`() throws {
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<5000 {
            let double = Double(bitPattern: generator.next())
            guard double.isFinite else { continue }
            guard case .number(let number) = try parse(written { $0.value(double) }) else {
                return #expect(Bool(false), "\(double)")
            }
            #expect(number.double == double)
        }
    }

    @Test func `a random integer survives writing and parsing`() throws {
        var generator = SeededGenerator(seed: 2)
        for _ in 0..<5000 {
            let integer = Int64(truncatingIfNeeded: generator.next()) >> Int64.random(in: 0..<64, using: &generator)
            guard case .number(let number) = try parse(written { $0.value(integer) }) else {
                return #expect(Bool(false), "\(integer)")
            }
            #expect(number.integer == integer)
        }
    }
}

/// Texts that are nearly JSON, none of which may end the process or be accepted with two meanings.
@Suite struct MutationTests {
    /// Bytes that the grammar uses, because most others are refused at once.
    private static let bytes: [UInt8] =
        Array("{}[]\",:\\u0dDcC89aeE+-.tfn \n/".utf8) + [0x00, 0x1F, 0x80, 0xC3, 0xED, 0xF4, 0xFF]

    @Test(arguments: 0..<8 as Range<UInt64>)
    func `a mutated text is parsed or refused and never crashes`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed &+ 1000)
        for round in 0..<1000 as Range<UInt64> {
            var tree = RandomTree(seed: seed &* 1000 &+ round)
            var writer = JSONWriter()
            writer.value(tree.value(depth: 3))
            var text = writer.bytes
            for _ in 0..<Int.random(in: 1...4, using: &generator) { mutate(&text, with: &generator) }
            try check(text, "seed \(seed), round \(round)")
        }
    }

    private func check(_ text: [UInt8], _ comment: Comment) throws {
        do throws(JSONParseError) {
            let value = try JSONParser.parse(text)
            // An accepted text is UTF-8, and its value survives writing and parsing.
            #expect(UTF8Validation.isValid(text), comment)
            var writer = JSONWriter()
            writer.value(value)
            #expect(try JSONParser.parse(writer.bytes) == value, comment)
        } catch {
            #expect(!error.faults.isEmpty, comment)
        }
    }

    private func mutate(_ text: inout [UInt8], with generator: inout SeededGenerator) {
        let position = Int.random(in: 0...text.count, using: &generator)
        let byte = Self.bytes[Int.random(in: 0..<Self.bytes.count, using: &generator)]
        switch Int.random(in: 0..<5, using: &generator) {
        case 0: text.insert(byte, at: position)
        case 1 where position < text.count: text[position] = byte
        case 2 where position < text.count: text.remove(at: position)
        case 3: text.removeLast(text.count - position)
        default:
            // A repeated piece creates duplicate members and unbalanced brackets.
            let end = Int.random(in: position...text.count, using: &generator)
            text.insert(contentsOf: Array(text[position..<end]), at: position)
        }
    }
}

/// A generator of values of all types, with characters and numbers that often break parsers.
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
            // The index makes the names unique.
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
