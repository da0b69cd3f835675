/// Something that an operator may set: by a flag, beneath that in the environment, and beneath that in a file.
public struct Setting<Value: Sendable>: Sendable {
    /// Its names, and what is said about it.
    public let description: SettingDescription
    /// Reads one value; `nil` if the text is none.
    let read: @Sendable (String) -> Value?

    /// A setting, which is part of the program.
    ///
    /// - Parameters:
    ///   - name: the name in a configuration file, in camelCase; the flag and the variable follow from it.
    ///   - shape: how a value is written.
    ///   - valueName: what stands for the value in a usage line.
    ///   - standard: what holds if nothing is said, in words.
    ///   - must: what a value must be: the end of the sentence "It must be …".
    ///   - help: what it does, in sentences.
    ///   - read: reads one value; `nil` if the text is none.
    public init(
        _ name: String,
        _ shape: SettingDescription.Shape = .text,
        valueName: String,
        standard: String,
        must: String,
        help: String,
        read: @escaping @Sendable (String) -> Value?
    ) {
        description = SettingDescription(
            name: name,
            shape: shape,
            valueName: valueName,
            help: help,
            standard: standard,
            must: must
        )
        self.read = read
    }
}

extension Setting<Int> {
    /// A whole number.
    public static func number(
        _ name: String,
        _ range: ClosedRange<Int>,
        valueName: String = "number",
        standard: String,
        help: String
    ) -> Setting {
        Setting(
            name,
            .number,
            valueName: valueName,
            standard: standard,
            must: range.upperBound == .max
                ? "a whole number, at least \(range.lowerBound)"
                : "a whole number from \(range.lowerBound) to \(range.upperBound)",
            help: help,
            read: { text in Int(text).flatMap { range.contains($0) ? $0 : nil } }
        )
    }
}

extension Setting<Duration> {
    /// A number of seconds, fractions too.
    public static func seconds(
        _ name: String,
        atMost most: Int,
        mayBeZero: Bool = false,
        standard: String,
        help: String
    ) -> Setting {
        Setting(
            name,
            .number,
            valueName: "seconds",
            standard: standard,
            must: "a number of seconds \(mayBeZero ? "from 0 to" : "above 0, at most") \(most)",
            help: help,
            read: { text in
                // Neither "nan" nor "0x1p4", which Swift reads too.
                guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }),
                    let seconds = Double(text), seconds <= Double(most), mayBeZero || seconds > 0
                else { return nil }
                return .nanoseconds(max(seconds > 0 ? 1 : 0, Int64((seconds * 1e9).rounded())))
            }
        )
    }
}

extension Setting<Bool> {
    /// Something that is on or off.
    public static func toggle(_ name: String, standard: String = "off", help: String) -> Setting {
        Setting(name, .toggle, valueName: "", standard: standard, must: "true or false", help: help) { text in
            switch text.lowercased() {
            case "1", "true", "yes", "on": true
            case "0", "false", "no", "off": false
            default: nil
            }
        }
    }
}
