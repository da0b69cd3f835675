/// What is known of a setting without its value's type: its names, and what is said about it.
///
/// One name makes all: `dataDirectory` in a configuration file is `--data-directory` as a flag and
/// `SANDGLASS_DATA_DIRECTORY` in the environment.
public struct SettingDescription: Sendable, Hashable {
    /// How a value is written in a configuration file.
    public enum Shape: Sendable, Hashable {
        /// A string.
        case text
        /// A number.
        case number
        /// `true` or `false`; `1` or `0` in the environment.
        case toggle
        /// An array of strings; in the environment one text with this character between them.
        case list(separator: Character)
    }

    /// The name in a configuration file, in camelCase.
    public let name: String
    /// How a value is written.
    public let shape: Shape
    /// What stands for the value in a usage line.
    public let valueName: String
    /// What it does, in sentences.
    public let help: String
    /// What holds if nothing is said, in words.
    public let standard: String
    /// What a value must be: the end of the sentence "It must be …".
    public let must: String

    /// The flag: `--data-directory`.
    public var flag: String { "--" + words(separator: "-").lowercased() }
    /// The environment variable: `SANDGLASS_DATA_DIRECTORY`.
    public var variable: String { "SANDGLASS_" + words(separator: "_").uppercased() }

    private func words(separator: Character) -> String {
        var words = ""
        for character in name {
            if character.isUppercase { words.append(separator) }
            words.append(character)
        }
        return words
    }
}
