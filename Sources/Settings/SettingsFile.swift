internal import Glibc
internal import JSON
internal import System

/// The values in a configuration file: a JSON object whose members have the names of settings.
package struct SettingsFile: Sendable {
    /// The maximum size in bytes, much more than a file with all settings needs.
    private static let maximumBytes = 1 << 20

    /// The path of the file.
    package let path: String
    /// The values as texts, by the name of the setting.
    ///
    /// Only a list has more than one.
    let values: [String: [String]]

    /// Reads a file.
    ///
    /// - Parameters:
    ///   - path: The path of the file.
    ///   - known: The settings that the file may have.
    /// - Throws: If the file cannot be read or is invalid. The error lists every fault in it.
    package init(path: String, known: [SettingDescription]) throws(SettingError) {
        do throws(SettingError) {
            try self.init(
                path: path,
                text: try ConfigurationFile.contents(of: path, atMost: Self.maximumBytes),
                known: known
            )
        } catch {
            throw SettingError("The configuration file \(path) cannot be used: \(error)")
        }
    }

    /// Parses the content of a file.
    init(path: String, text: [UInt8], known: [SettingDescription]) throws(SettingError) {
        let document: JSONValue
        do throws(JSONParseError) {
            document = try JSONParser.parse(text)
        } catch {
            throw SettingError(error.faults.map(Self.describe).joined(separator: "; "))
        }
        guard case .object(let object) = document else {
            throw SettingError("it must contain a JSON object, not \(document.typeName)")
        }
        let settings = Dictionary(uniqueKeysWithValues: known.map { ($0.name, $0) })
        var values: [String: [String]] = [:]
        var faults: [String] = []
        for member in object.members {
            guard let setting = settings[member.name] else {
                let nearest = Spelling.nearest(to: member.name, in: known.map(\.name))
                let advice = nearest.map { "did you mean \"\($0)\"?" } ?? "`sandglass serve --help` lists the settings"
                faults.append("unknown setting \"\(member.name)\" (\(advice))")
                continue
            }
            guard let texts = Self.texts(of: member.value, setting.shape) else {
                faults.append("\"\(member.name)\" must be \(setting.constraint), as \(Self.name(of: setting.shape))")
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
        case (.number(let number), .number), (.number(let number), .quantity): return [number.literal]
        case (.string(let text), .quantity): return [text]
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
        case .quantity: "a number or a string with a unit"
        case .toggle: "true or false"
        case .list: "an array of strings"
        }
    }

    private static func describe(_ fault: JSONFault) -> String {
        let pointer = fault.pointer.description
        return pointer.isEmpty ? fault.detail : "\(pointer): \(fault.detail)"
    }
}

/// A reader of the files that an operator names: settings, tokens and certificates.
package enum ConfigurationFile {
    /// Reads a whole file.
    ///
    /// Symbolic links are followed. A pipe is read like a file, because `--config <(…)` in a shell is one.
    ///
    /// - Parameters:
    ///   - path: The path of the file.
    ///   - limit: The maximum size in bytes.
    /// - Returns: The content of the file.
    /// - Throws: If the file cannot be read, is larger than `limit`, or is a regular file that everyone may write to.
    ///   Content that everyone may change cannot be relied upon.
    package static func contents(of path: String, atMost limit: Int) throws(SettingError) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw SettingError(SystemError.meaning(of: errno)) }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw SettingError(SystemError.meaning(of: errno)) }
        guard status.st_mode & S_IFMT != S_IFREG || status.st_mode & S_IWOTH == 0 else {
            throw SettingError("it is world-writable; run chmod o-w on it")
        }
        let contents: [UInt8]
        do throws(SystemError) {
            contents = try FileIO.readAll(file, atMost: limit + 1)
        } catch {
            throw SettingError(SystemError.meaning(of: error.number))
        }
        guard contents.count <= limit else { throw SettingError("it is larger than \(limit, counting: "byte")") }
        return contents
    }
}
