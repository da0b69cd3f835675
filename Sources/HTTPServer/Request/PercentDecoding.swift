internal import System

/// Percent-decoding of request targets, with a refusal for each fault.
enum PercentDecoding {
    /// Decodes a part of a request target.
    ///
    /// - Parameters:
    ///   - text: The encoded part.
    ///   - plusIsSpace: Whether `+` stands for a space, as it does in a query.
    /// - Returns: The decoded text.
    /// - Throws: A refusal if an escape is malformed or stands for NUL, or if the decoded bytes are not UTF-8.
    static func decode(_ text: some Collection<UInt8>, plusIsSpace: Bool = false) throws(RequestRefusal) -> String {
        do throws(PercentCoding.DecodingError) {
            return try PercentCoding.decode(text, plusIsSpace: plusIsSpace)
        } catch {
            switch error {
            case .malformedEscape: throw .malformed("The request target contains a malformed percent escape.")
            case .nul: throw .malformed("The request target contains a NUL character, %00.")
            case .notUTF8: throw .malformed("The percent escapes of the request target are not UTF-8.")
            }
        }
    }
}
