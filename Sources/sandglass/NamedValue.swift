internal import ArgumentParser

/// An argument with a name in it: `NAME=VALUE`.
struct NamedValue {
    let name: String
    let value: String

    init(_ text: String) throws {
        // By bytes: to a Swift string an equals sign with an accent behind it is another character.
        guard let equals = text.utf8.firstIndex(of: UInt8(ascii: "=")), equals != text.startIndex else {
            throw ValidationError("'\(text)' must be a name, an equals sign and a value.")
        }
        name = String(text[..<equals])
        value = String(text[text.utf8.index(after: equals)...])
    }
}
