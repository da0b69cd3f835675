/// Takes off percent-encoding, strictly: a guess here would let one resource have two names.
enum PercentDecoding {
    /// Decodes a part of a target.
    ///
    /// - Parameters:
    ///   - text: The part.
    ///   - plusIsSpace: Whether `+` stands for a space, as it does in a query.
    /// - Returns: The part decoded.
    /// - Throws: A refusal for a malformed escape, for an escaped control character and for bytes that are
    ///   not UTF-8.
    static func decode(_ text: some Collection<UInt8>, plusIsSpace: Bool = false) throws(RequestRefusal) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        var rest = text.makeIterator()
        while let byte = rest.next() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(plusIsSpace && byte == UInt8(ascii: "+") ? 0x20 : byte)
                continue
            }
            guard let high = rest.next()?.hexadecimalValue, let low = rest.next()?.hexadecimalValue else {
                throw .malformed("The target has a malformed percent escape.")
            }
            guard high << 4 | low != 0 else { throw .malformed("The target has a NUL character, %00.") }
            bytes.append(high << 4 | low)
        }
        guard let decoded = String(validating: bytes, as: UTF8.self) else {
            throw .malformed("The target's percent escapes are not UTF-8.")
        }
        return decoded
    }
}
