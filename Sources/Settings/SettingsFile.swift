internal import JSON

/// A configuration file: a JSON object with the names of settings.
public struct SettingsFile: Sendable {
    /// Far more than all settings take.
    private static let mostBytes = 1 << 20

    /// Where it is.
    public let path: String
    /// By setting's name: the texts of its value, one unless it is a list.
    let values: [String: [String]]

    /// Reads a file.
    ///
    /// - Parameters:
    ///   - path: where it is.
    ///   - known: the settings that it may have.
    /// - Throws: why it cannot be used, with all that is wrong in it.
    public init(path: String, known: [SettingDescription]) throws(SettingError) {
        do throws(SettingError) {
            try self.init(path: path, text: try OperatorFile.contents(of: path, atMost: Self.mostBytes), known: known)
        } catch {
            throw SettingError("The configuration file \(path) cannot be used: \(error)")
        }
    }

    /// Reads a text that stands in a file.
    init(path: String, text: [UInt8], known: [SettingDescription]) throws(SettingError) {
        let document: JSONValue
        do throws(JSONParseError) {
            document = try JSONParser.parse(text)
        } catch {
            throw SettingError(error.faults.map(Self.describe).joined(separator: "; "))
        }
        guard case .object(let object) = document else {
            throw SettingError("it must hold a JSON object, not \(document.typeName)")
        }
        let settings = Dictionary(uniqueKeysWithValues: known.map { ($0.name, $0) })
        var values: [String: [String]] = [:]
        var faults: [String] = []
        for member in object.members {
            guard let setting = settings[member.name] else {
                faults.append("there is no setting \"\(member.name)\"; `sandglass serve --help` lists them")
                continue
            }
            guard let texts = Self.texts(of: member.value, setting.shape) else {
                faults.append("\"\(member.name)\" must be \(setting.must), as \(Self.name(of: setting.shape))")
                continue
            }
            values[member.name] = texts
        }
        guard faults.isEmpty else { throw SettingError(faults.joined(separator: "; ")) }
        self.path = path
        self.values = values
    }

    private static func texts(of value: JSONValue, _ shape: SettingDescription.Shape) -> [String]? {
        switch (value, shape) {
        case (.string(let text), .text): return [text]
        case (.number(let number), .number): return [number.literal]
        case (.bool(let isOn), .toggle): return [isOn ? "true" : "false"]
        case (.array(let elements), .list):
            var texts: [String] = []
            for element in elements {
                guard case .string(let text) = element else { return nil }
                texts.append(text)
            }
            return texts
        default: return nil
        }
    }

    private static func name(of shape: SettingDescription.Shape) -> String {
        switch shape {
        case .text: "a string"
        case .number: "a number"
        case .toggle: "true or false"
        case .list: "an array of strings"
        }
    }

    private static func describe(_ fault: JSONFault) -> String {
        let pointer = fault.pointer.description
        return pointer.isEmpty ? fault.detail : "\(pointer): \(fault.detail)"
    }

}
