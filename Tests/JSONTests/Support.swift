import JSON

/// SplitMix64, so that a test that failed with a seed fails again with the same seed.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

func parse(_ text: String) throws(JSONParseError) -> JSONValue {
    try JSONParser.parse(Array(text.utf8))
}

/// Returns the faults of a text; none if it was accepted.
func faults(_ text: [UInt8]) -> [JSONFault] {
    do throws(JSONParseError) {
        _ = try JSONParser.parse(text)
        return []
    } catch {
        return error.faults
    }
}

func faults(_ text: String) -> [JSONFault] {
    faults(Array(text.utf8))
}

/// Returns the bytes enclosed in `["` and `"]`; they need not be UTF-8.
func string(_ bytes: [UInt8]) -> [UInt8] {
    Array("[\"".utf8) + bytes + Array("\"]".utf8)
}

func written(_ body: (inout JSONWriter) -> Void) -> String {
    var writer = JSONWriter()
    body(&writer)
    return String(decoding: writer.bytes, as: UTF8.self)
}

extension JSONValue {
    static func make(_ integer: Int64) -> JSONValue { .number(JSONNumber(integer)) }
}
