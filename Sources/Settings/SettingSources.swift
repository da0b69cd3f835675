internal import Configuration

/// Where settings come from: the command line over the environment over a file.
///
/// The order is swift-configuration's `ConfigReader`. Each source gives texts, and the setting reads them: whatever is wrong
/// with a value is told in the same words, with the name by which it was given.
public struct SettingSources {
    private let reader: ConfigReader
    private let winner: WinningSource
    /// What swift-configuration calls the sources.
    private let flagsName: String
    private let fileName: String
    private let filePath: String

    /// Takes the sources.
    ///
    /// - Parameters:
    ///   - flags: what the command line said, by setting's name.
    ///   - environment: the variables of the environment; an empty one counts as none.
    ///   - file: the configuration file, if there is one.
    ///   - known: the settings that there are.
    ///   - foreign: variables that begin alike and mean something to somebody else.
    /// - Throws: which variables there are that mean nothing.
    public init(
        flags: [String: [String]],
        environment: [String: String],
        file: SettingsFile?,
        known: [SettingDescription],
        foreign: (String) -> Bool
    ) throws(SettingError) {
        let variables = Set(known.map(\.variable))
        let stray = environment.keys.filter { name in
            name.hasPrefix("SANDGLASS_") && !variables.contains(name) && !foreign(name)
        }
        guard stray.isEmpty else {
            let names = stray.sorted().joined(separator: ", ")
            throw SettingError(
                "The environment has \(names), which is no setting; `sandglass serve --help` lists them."
            )
        }
        let winner = WinningSource()
        self.winner = winner
        filePath = file?.path ?? ""
        let given = environment.filter { !$0.value.isEmpty }
        let flags = Self.provider("flags", flags, known)
        let members = Self.provider("file", file?.values ?? [:], known)
        (flagsName, fileName) = (flags.providerName, members.providerName)
        var providers: [any ConfigProvider] = [flags]
        // One for each character that may stand between the texts of a list.
        for (separator, names) in Self.bySeparator(known) {
            let own = given.filter { names.contains($0.key) }
            let variables = EnvironmentVariablesProvider(environmentVariables: own, arraySeparator: separator)
            providers.append(variables.prefixKeys(with: "sandglass"))
        }
        providers.append(members)
        reader = ConfigReader(providers: providers, accessReporter: winner)
    }

    /// The value of a setting, or `nil` if no source has one.
    ///
    /// - Parameter setting: which one; not a list.
    /// - Returns: the value of the first source that has one.
    /// - Throws: what is wrong with what a source says.
    public func value<Value>(_ setting: Setting<Value>) throws(SettingError) -> Value? {
        guard let text = reader.string(forKey: ConfigKey([setting.description.name])) else { return nil }
        return try read(text, setting)
    }

    /// The values of a setting that is a list; none if no source has any.
    ///
    /// - Parameter setting: which one.
    /// - Returns: the values of the first source that has any.
    /// - Throws: what is wrong with what a source says.
    public func values<Value>(_ setting: Setting<Value>) throws(SettingError) -> [Value] {
        var values: [Value] = []
        for text in reader.stringArray(forKey: ConfigKey([setting.description.name])) ?? [] {
            values.append(try read(text, setting))
        }
        return values
    }

    /// By what name the value of a setting was given, for an error that only shows later.
    ///
    /// - Parameter setting: which one.
    /// - Returns: a flag, a variable, or a file and its member; the flag if no source has a value.
    public func source(of setting: SettingDescription) -> String {
        if case .list = setting.shape {
            _ = reader.stringArray(forKey: ConfigKey([setting.name]))
        } else {
            _ = reader.string(forKey: ConfigKey([setting.name]))
        }
        switch winner.name {
        case fileName: return "\"\(setting.name)\" in \(filePath)"
        case nil, flagsName: return setting.flag
        default: return setting.variable
        }
    }

    private func read<Value>(_ text: String, _ setting: Setting<Value>) throws(SettingError) -> Value {
        if let value = setting.read(text) { return value }
        let (source, must) = (source(of: setting.description), setting.description.must)
        throw SettingError("The value '\(text)' of \(source) is invalid: it must be \(must).")
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

    /// The variables by the character between the texts of a list; of others it does not matter.
    private static func bySeparator(_ known: [SettingDescription]) -> [(Character, Set<String>)] {
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
