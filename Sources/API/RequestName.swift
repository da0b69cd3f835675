internal import Glibc
internal import Synchronization

/// The names of requests, as `X-Request-Id` carries them.
enum RequestName {
    private static let mostBytes = 128
    /// Names of this process start with the same random number: no other process gives them.
    private static let process = UInt64.random(in: 1 ... .max)
    private static let count = Atomic<UInt64>(0)

    /// A name that no request has had: 32 lowercase hexadecimal digits.
    static func next() -> String {
        let number = count.wrappingAdd(1, ordering: .relaxed).newValue
        return String(unsafeUninitializedCapacity: 32) { digits in
            for (start, value) in [(0, process), (16, number)] {
                for place in 0..<16 {
                    let digit = UInt8(truncatingIfNeeded: value >> UInt64(60 - 4 * place)) & 15
                    digits[start + place] = digit < 10 ? digit + UInt8(ascii: "0") : digit - 10 + UInt8(ascii: "a")
                }
            }
            return 32
        }
    }

    /// Whether a client's name is one that may stand in a log and in a header: 1 to 128 letters, digits and `-._~:@+/=`.
    static func isValid(_ name: String) -> Bool {
        (1...mostBytes).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "-._~:@+/=".utf8.contains(byte)
                }
            }
    }
}
