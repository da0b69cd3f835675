internal import ArgumentParser
internal import Glibc

/// A setting that can be given as a flag or, beneath it, in the environment.
enum Setting {
    /// The flag if it was given, else what the variable says, else `nil`.
    static func value<Value: ExpressibleByArgument>(_ flag: Value?, _ variable: String) throws -> Value? {
        if let flag { return flag }
        guard let text = text(of: variable) else { return nil }
        guard let value = Value(argument: text) else {
            throw ValidationError("The value '\(text)' of \(variable) is invalid.")
        }
        return value
    }

    /// Whether a switch was given, or its variable is `1` or `true`.
    static func isOn(_ flag: Bool, _ variable: String) throws -> Bool {
        guard !flag, let text = text(of: variable) else { return flag }
        switch text.lowercased() {
        case "1", "true", "yes": return true
        case "0", "false", "no": return false
        default: throw ValidationError("The value '\(text)' of \(variable) is invalid: it must be 1 or 0.")
        }
    }

    /// The flag's values if it was given, else those between the separators of the variable.
    static func list(_ flags: [String], _ variable: String, separator: Character) -> [String] {
        guard flags.isEmpty, let text = text(of: variable) else { return flags }
        return text.split(separator: separator).map(String.init)
    }

    /// The variable's text, unless it is not set or empty.
    static func text(of variable: String) -> String? {
        guard let text = getenv(variable), text.pointee != 0 else { return nil }
        return String(cString: text)
    }
}
