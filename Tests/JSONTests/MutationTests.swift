import JSON
import Testing

/// Texts that are nearly JSON: none may end the process, and what is accepted means one thing.
@Suite struct MutationTests {
    /// Bytes that matter to the grammar, for most others are refused at once.
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
            // An accepted text is text, and stands for the same value when it is written anew.
            #expect(UTF8Validation.isValid(text), comment)
            var writer = JSONWriter()
            writer.value(value)
            #expect(try JSONParser.parse(writer.bytes) == value, comment)
        } catch {
            #expect(!error.faults.isEmpty, comment)
        }
    }

    private func mutate(_ text: inout [UInt8], with generator: inout SeededGenerator) {
        let place = Int.random(in: 0...text.count, using: &generator)
        let byte = Self.bytes[Int.random(in: 0..<Self.bytes.count, using: &generator)]
        switch Int.random(in: 0..<5, using: &generator) {
        case 0: text.insert(byte, at: place)
        case 1 where place < text.count: text[place] = byte
        case 2 where place < text.count: text.remove(at: place)
        case 3: text.removeLast(text.count - place)
        default:
            // Repeating a piece makes duplicate members, and pairs of brackets that no longer match.
            let end = Int.random(in: place...text.count, using: &generator)
            text.insert(contentsOf: Array(text[place..<end]), at: place)
        }
    }
}
