import JSON
import Testing

@Suite struct RoundTripTests {
    @Test func `a random value is the same after writing and parsing`() throws {
        for seed in 0..<500 as Range<UInt64> {
            var tree = RandomTree(seed: seed)
            let value = tree.value(depth: 4)
            var writer = JSONWriter(capacity: 0)
            writer.value(value)
            #expect(try JSONParser.parse(writer.bytes) == value, "seed \(seed)")
        }
    }

    @Test func `a random double reads back as itself`() throws {
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

    @Test func `a random integer reads back as itself`() throws {
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
