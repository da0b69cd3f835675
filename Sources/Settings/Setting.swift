/// A value that an operator can set by a flag, an environment variable or a member of a configuration file.
package struct Setting<Value: Sendable>: Sendable, DescribedSetting {
    package let description: SettingDescription
    /// The value if no source has one.
    package let `default`: Value
    /// The function that parses a text and returns `nil` if it is not a valid value.
    let parse: @Sendable (String) -> Value?

    /// Declares a setting.
    ///
    /// - Parameters:
    ///   - name: The name in a configuration file, in camelCase. The flag and the variable derive from it.
    ///   - shape: The form of a value in a configuration file.
    ///   - valueName: The placeholder for the value in a usage line.
    ///   - default: The value if no source has one.
    ///   - defaultText: The default as text.
    ///   - constraint: The end of the sentence "It must be …".
    ///   - help: The effect of the setting: an imperative phrase with its unit.
    ///   - parse: Parses a text; returns `nil` if it is not a valid value.
    package init(
        _ name: String,
        _ shape: SettingDescription.Shape = .text,
        valueName: String,
        default: Value,
        defaultText: String,
        constraint: String,
        help: String,
        parse: @escaping @Sendable (String) -> Value?
    ) {
        description = SettingDescription(
            name: name,
            shape: shape,
            valueName: valueName,
            help: help,
            defaultText: defaultText,
            constraint: constraint
        )
        self.default = `default`
        self.parse = parse
    }

    /// Returns the setting with `nil` as its default.
    ///
    /// - Parameter text: The effect of `nil`, such as `no limit`.
    /// - Returns: The optional setting.
    fileprivate func optional(_ text: String) -> Setting<Value?> {
        Setting<Value?>(
            description.name,
            description.shape,
            valueName: description.valueName,
            default: nil,
            defaultText: text,
            constraint: description.constraint,
            help: description.help,
            parse: { [parse] in parse($0).map { $0 } }
        )
    }
}

/// A setting with any number of values: a flag that can be repeated.
package struct ListSetting<Element: Sendable>: Sendable, DescribedSetting {
    package let description: SettingDescription
    /// The function that parses one element and returns `nil` if it is not a valid value.
    let parse: @Sendable (String) -> Element?

    /// Declares a setting whose default is an empty list.
    ///
    /// - Parameters:
    ///   - name: The name in a configuration file, in camelCase. The flag and the variable derive from it.
    ///   - separator: The character between the elements in the environment.
    ///   - valueName: The placeholder for an element in a usage line.
    ///   - defaultText: The effect of an empty list.
    ///   - constraint: The end of the sentence "It must be …" about an element.
    ///   - help: The effect of the setting: an imperative phrase.
    ///   - parse: Parses one element; returns `nil` if it is not a valid value.
    package init(
        _ name: String,
        separator: Character,
        valueName: String,
        defaultText: String,
        constraint: String,
        help: String,
        parse: @escaping @Sendable (String) -> Element?
    ) {
        description = SettingDescription(
            name: name,
            shape: .list(separator: separator),
            valueName: valueName,
            help: help,
            defaultText: defaultText,
            constraint: constraint
        )
        self.parse = parse
    }
}

// MARK: Kinds of values

extension Setting<Int> {
    /// Declares a whole number.
    package static func number(
        _ name: String,
        _ range: ClosedRange<Int>,
        valueName: String = "number",
        default: Int,
        defaultText: String? = nil,
        help: String
    ) -> Setting {
        Setting(
            name,
            .number,
            valueName: valueName,
            default: `default`,
            defaultText: defaultText ?? String(`default`),
            constraint: range.upperBound == .max
                ? "a whole number, at least \(range.lowerBound)"
                : "a whole number from \(range.lowerBound) to \(range.upperBound)",
            help: help,
            parse: { text in Int(text).flatMap { range.contains($0) ? $0 : nil } }
        )
    }

    /// Declares a number of bytes.
    package static func bytes(
        _ name: String,
        _ range: ClosedRange<Int>,
        default: Int,
        help: String
    ) -> Setting {
        let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")]
        let unit = units.first { `default` > 0 && `default` % (1 << $0.0) == 0 }
        let text = unit.map { "\(`default`) (\(`default` >> $0.0) \($0.1))" }
        return Setting(
            name,
            .quantity,
            valueName: "bytes",
            default: `default`,
            defaultText: text ?? String(`default`),
            constraint: "a number of bytes, such as 65536, 64K or 1G, "
                + (range.upperBound == .max
                    ? "at least \(range.lowerBound)" : "from \(range.lowerBound) to \(range.upperBound)"),
            help: help,
            parse: { text in Quantity.bytes(text).flatMap { range.contains($0) ? $0 : nil } }
        )
    }
}

extension Setting<Double?> {
    /// Declares a number that may have a fraction, and that is `nil` if no source has one.
    package static func decimal(_ name: String, _ range: ClosedRange<Double>, unset: String, help: String) -> Setting {
        Setting<Double>(
            name,
            .number,
            valueName: "number",
            default: range.lowerBound,
            defaultText: unset,
            constraint: "a number from \(range.lowerBound) to \(Int(range.upperBound))",
            help: help,
            parse: { text in Double(text).flatMap { range.contains($0) ? $0 : nil } }
        ).optional(unset)
    }
}

extension Setting<Duration> {
    /// Declares a number of seconds, which may have a fraction.
    ///
    /// - Parameters:
    ///   - name: The name in a configuration file.
    ///   - maximum: The longest time, in seconds.
    ///   - mayBeZero: Whether 0 is a valid value.
    ///   - default: The value if no source has one.
    ///   - help: The effect of the setting.
    /// - Returns: The setting.
    package static func seconds(
        _ name: String,
        atMost maximum: Int,
        mayBeZero: Bool = false,
        default: Duration,
        help: String
    ) -> Setting {
        let seconds = `default` / .seconds(1)
        return Setting(
            name,
            .quantity,
            valueName: "seconds",
            default: `default`,
            defaultText: seconds == seconds.rounded() ? String(Int(seconds)) : String(seconds),
            constraint: "a number of seconds, or a time such as 250ms, 5m or 1.5h, "
                + "\(mayBeZero ? "from 0 to" : "above 0, at most") \(maximum) seconds",
            help: help,
            parse: { text in
                guard let time = Quantity.duration(text), time <= .seconds(maximum), mayBeZero || time > .zero else {
                    return nil
                }
                return time
            }
        )
    }
}

extension Setting<Int?> {
    /// Declares a whole number that is `nil` if no source has one.
    ///
    /// - Parameters:
    ///   - name: The name in a configuration file.
    ///   - range: The valid values.
    ///   - unset: The effect of `nil`, such as `no limit`.
    ///   - help: The effect of the setting.
    /// - Returns: The setting.
    package static func number(_ name: String, _ range: ClosedRange<Int>, unset: String, help: String) -> Setting {
        Setting<Int>.number(name, range, default: range.lowerBound, help: help).optional(unset)
    }
}

extension Setting<Duration?> {
    /// Declares a number of seconds that is `nil` if no source has one.
    package static func seconds(_ name: String, atMost maximum: Int, unset: String, help: String) -> Setting {
        Setting<Duration>.seconds(name, atMost: maximum, default: .zero, help: help).optional(unset)
    }
}

extension Setting<String?> {
    /// Declares a text that is `nil` if no source has one.
    package static func text(_ name: String, valueName: String = "path", unset: String, help: String) -> Setting {
        Setting<String>.text(name, valueName: valueName, default: "", help: help).optional(unset)
    }
}

extension Setting<Bool> {
    /// Declares a switch that is off by default.
    package static func toggle(_ name: String, help: String) -> Setting {
        Setting(
            name,
            .toggle,
            valueName: "",
            default: false,
            defaultText: "off",
            constraint: "true or false",
            help: help,
            parse: { text in
                switch text.lowercased() {
                case "1", "true", "yes", "on": true
                case "0", "false", "no", "off": false
                default: nil
                }
            }
        )
    }
}

extension Setting<String> {
    /// Declares a text that is not empty.
    package static func text(
        _ name: String,
        valueName: String,
        default: String,
        help: String
    ) -> Setting {
        Setting(
            name,
            valueName: valueName,
            default: `default`,
            defaultText: `default`,
            constraint: "a \(valueName)",
            help: help,
            parse: { $0.isEmpty ? nil : $0 }
        )
    }
}

extension Setting where Value: RawRepresentable<String> & CaseIterable {
    /// Declares a choice between the cases of an enumeration.
    package static func choice(
        _ name: String,
        valueName: String? = nil,
        default: Value,
        help: String
    ) -> Setting {
        let names = Value.allCases.map(\.rawValue)
        return Setting(
            name,
            valueName: valueName ?? names.joined(separator: "|"),
            default: `default`,
            defaultText: `default`.rawValue,
            constraint: names.count == 2 ? names.joined(separator: " or ") : "one of \(names.joined(separator: ", "))",
            help: help,
            parse: { Value(rawValue: $0) }
        )
    }
}

// MARK: Errors

/// An invalid setting: the value, its source, and the constraint that it violates.
package struct SettingError: Error, Hashable, CustomStringConvertible {
    /// The explanation for people: one or more sentences.
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}
