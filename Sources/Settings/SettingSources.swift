internal import Configuration
internal import System

/// The sources of settings in order of precedence: the command line, the environment, the configuration file.
///
/// swift-configuration's `ConfigReader` implements the order. Every source supplies texts, and the setting parses them.
/// An invalid value therefore gets the same message in every source, with the name under which it was set.
package struct SettingSources {
    private let reader: ConfigReader
    private let lastSource: SettingSource
    private let flagsName: String
    private let fileName: String
    private let filePath: String

    /// Creates the sources.
    ///
    /// - Parameters:
    ///   - flags: The values from the command line, by the name of the setting.
    ///   - environment: The environment variables. An empty variable counts as not set.
    ///   - file: The configuration file, if there is one.
    ///   - known: The settings that exist.
    ///   - isForeign: Whether a variable with the prefix `SANDGLASS_` has another purpose.
    /// - Throws: If the environment has a variable with the prefix `SANDGLASS_` that is neither a setting nor foreign.
    package init(
        flags: [String: [String]],
        environment: [String: String],
        file: SettingsFile?,
        known: [SettingDescription],
        isForeign: (String) -> Bool
    ) throws(SettingError) {
        let variables = Set(known.map(\.variable))
        let unknown = environment.keys.filter { name in
            name.hasPrefix("SANDGLASS_") && !variables.contains(name) && !isForeign(name)
        }
        guard unknown.isEmpty else {
            let names = unknown.sorted().map { name in
                // Without the common prefix, which would make all names similar.
                let names = known.map { String($0.variable.dropFirst(10)) }
                let nearest = Spelling.nearest(to: String(name.dropFirst(10)), in: names)
                return nearest.map { "\(name) (did you mean SANDGLASS_\($0)?)" } ?? name
            }
            .joined(separator: ", ")
            throw SettingError(
                "Unknown environment variables: \(names). Unset them; `sandglass serve --help` lists the valid names."
            )
        }
        lastSource = SettingSource()
        filePath = file?.path ?? ""
        let set = environment.filter { !$0.value.isEmpty }
        let flags = Self.provider("flags", flags, known)
        let members = Self.provider("file", file?.values ?? [:], known)
        (flagsName, fileName) = (flags.providerName, members.providerName)
        var providers: [any ConfigProvider] = [flags]
        // A provider has one list separator, so there is a provider for each separator.
        for (separator, names) in Self.variablesBySeparator(known) {
            let own = set.filter { names.contains($0.key) }
            let variables = EnvironmentVariablesProvider(environmentVariables: own, arraySeparator: separator)
            providers.append(variables.prefixKeys(with: "sandglass"))
        }
        providers.append(members)
        reader = ConfigReader(providers: providers, accessReporter: lastSource)
    }

    /// Returns the value of a setting: that of the first source that has one, or the default.
    ///
    /// - Throws: If that source has an invalid value.
    package func value<Value>(_ setting: Setting<Value>) throws(SettingError) -> Value {
        guard let text = reader.string(forKey: ConfigKey([setting.description.name])) else { return setting.default }
        guard let value = setting.parse(text) else { throw invalid(text, setting.description) }
        return value
    }

    /// Returns the elements of a list: those of the first source that has any, or none.
    ///
    /// - Throws: If that source has an invalid element.
    package func values<Element>(_ setting: ListSetting<Element>) throws(SettingError) -> [Element] {
        var values: [Element] = []
        for text in reader.stringArray(forKey: ConfigKey([setting.description.name])) ?? [] {
            guard let value = setting.parse(text) else { throw invalid(text, setting.description) }
            values.append(value)
        }
        return values
    }

    /// Returns whether a source has a value for a setting that is not a list.
    package func isSet(_ setting: SettingDescription) -> Bool {
        reader.string(forKey: ConfigKey([setting.name])) != nil
    }

    /// Returns the name under which a setting was set, for an error that is found after parsing.
    ///
    /// - Returns: A flag, a variable, or a member and its file; the flag if no source has a value.
    package func source(of setting: SettingDescription) -> String {
        if case .list = setting.shape {
            _ = reader.stringArray(forKey: ConfigKey([setting.name]))
        } else {
            _ = reader.string(forKey: ConfigKey([setting.name]))
        }
        switch lastSource.name {
        case fileName: return "\"\(setting.name)\" in \(filePath)"
        case nil, flagsName: return setting.flag
        default: return setting.variable
        }
    }

    private func invalid(_ text: String, _ setting: SettingDescription) -> SettingError {
        SettingError("The value '\(text)' of \(source(of: setting)) is invalid: it must be \(setting.constraint).")
    }

    private static func provider(
        _ name: String,
        _ values: [String: [String]],
        _ known: [SettingDescription]
    ) -> InMemoryProvider {
        var contents: [AbsoluteConfigKey: ConfigValue] = [:]
        for setting in known {
            guard let texts = values[setting.name] else { continue }
            let key = AbsoluteConfigKey([setting.name])
            if case .list = setting.shape {
                contents[key] = ConfigValue(.stringArray(texts), isSecret: false)
            } else if let text = texts.last {
                contents[key] = ConfigValue(.string(text), isSecret: false)
            }
        }
        return InMemoryProvider(name: name, values: contents)
    }

    /// Groups the variables by their list separator, which does not matter for those that are not lists.
    private static func variablesBySeparator(_ known: [SettingDescription]) -> [(Character, Set<String>)] {
        var variables: [Character: Set<String>] = [:]
        for setting in known {
            guard case .list(let separator) = setting.shape else {
                variables[",", default: []].insert(setting.variable)
                continue
            }
            variables[separator, default: []].insert(setting.variable)
        }
        return variables.map { ($0.key, $0.value) }
    }
}

/// A record of the source that supplied the most recently read value.
private final class SettingSource: AccessReporter {
    private let source = Lock<String?>(nil)

    var name: String? { source.withLock { $0 } }

    func report(_ event: AccessEvent) {
        let name = event.providerResults.first { result in
            guard case .success(let lookup) = result.result else { return false }
            return lookup.value != nil
        }?.providerName
        source.withLock { $0 = name }
    }
}
