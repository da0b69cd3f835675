internal import JSON
internal import RunModel
internal import System

/// A reader of `files`: paths below `/box`, and the content of each file or the kind of another entry.
struct FilesReader {
    private(set) var faults: [JSONFault] = []
    private let maximum: Int

    /// - Parameter maximum: the maximum number of files.
    init(maximum: Int) {
        self.maximum = maximum
    }

    /// Reads the files of a request.
    ///
    /// - Parameters:
    ///   - value: the object of paths and contents.
    ///   - pointer: its position.
    /// - Returns: the files; the result is meaningless if there are ``faults``.
    mutating func files(_ value: JSONValue, _ pointer: JSONPointer) -> [RunFile] {
        guard case .object(let object) = value else {
            refuse(pointer, "must be an object of paths and contents, not \(value.typeName)")
            return []
        }
        if object.members.count > maximum {
            refuse(pointer, "must have at most \(maximum, counting: "file"), not \(object.members.count)")
        }
        let files = object.members.map { member in
            let pointer = pointer.appending(member.name)
            let file = file(member, pointer)
            // Only an archive can be unpacked in /box itself.
            if case .archive = file.kind, file.path == RunFile.box { return file }
            if let fault = Self.fault(of: member.name) { refuse(pointer, fault) }
            return file
        }
        refuseCollisions(files, pointer)
        return files
    }

    private mutating func file(_ member: JSONMember, _ pointer: JSONPointer) -> RunFile {
        if case .object(let object) = member.value,
            let other = object.members.first(where: { ["symlink", "directory", "tar"].contains($0.name) })
        {
            for extra in object.members where extra.name != other.name {
                refuse(pointer.appending(extra.name), "cannot be combined with \"\(other.name)\"")
            }
            return RunFile(path: member.name, kind: kind(other, of: member.name, pointer.appending(other.name)))
        }
        var isExecutable = false
        if case .object(let object) = member.value, let flag = object["executable"] {
            if case .bool(let value) = flag {
                isExecutable = value
            } else {
                refuse(pointer.appending("executable"), "must be true or false, not \(flag.typeName)")
            }
        }
        var reader = ContentReader()
        let content = reader.content(member.value, pointer, allowing: ["executable"])
        faults += reader.faults
        return RunFile(path: member.name, content: content, isExecutable: isExecutable)
    }

    /// Reads the one member of an entry that is not a file.
    private mutating func kind(_ member: JSONMember, of path: String, _ pointer: JSONPointer) -> RunFile.Kind {
        switch member.name {
        case "symlink":
            guard case .string(let target) = member.value else {
                refuse(pointer, "must be a string, the relative target of the link, not \(member.value.typeName)")
                return .directory
            }
            if let fault = SymbolicLink.fault(of: target, at: path) { refuse(pointer, fault) }
            return .symbolicLink(target: target)
        case "directory":
            if case .bool(true) = member.value { return .directory }
            refuse(pointer, "must be true")
            return .directory
        default:
            var reader = ContentReader()
            defer { faults += reader.faults }
            return .archive(reader.content(member.value, pointer))
        }
    }

    /// Returns the fault of a path that cannot be below `/box`; `nil` for a valid path.
    private static func fault(of path: String) -> String? {
        let bytes = Array(path.utf8)
        if bytes.isEmpty { return "a path must not be empty" }
        if bytes.contains(0) { return "a path must not contain a NUL character" }
        if bytes.first == UInt8(ascii: "/") { return "a path must be relative to /box, without a slash at its start" }
        if bytes.count > RunFile.longestPath { return "a path must have at most \(RunFile.longestPath) bytes" }
        for part in bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            switch part.count {
            case 0: return "a path must not have an empty part or a slash at its end"
            case 1 where part.elementsEqual(".".utf8), 2 where part.elementsEqual("..".utf8):
                return "a path must not have a part \".\" or \"..\""
            case (RunFile.longestName + 1)...: return "a part of a path must have at most \(RunFile.longestName) bytes"
            default: break
            }
        }
        return nil
    }

    /// Refuses a file or a link that is the parent directory of another entry.
    ///
    /// Two files never have the same path, because both are members of one object.
    private mutating func refuseCollisions(_ files: [RunFile], _ pointer: JSONPointer) {
        // With the slash sorted before all other characters, the files of a directory directly follow the directory.
        let sorted = files.map {
            (file: $0, key: $0.path.utf8.map { $0 == UInt8(ascii: "/") ? 1 : UInt16($0) + 2 })
        }
        .sorted { $0.key.lexicographicallyPrecedes($1.key) }
        // The files and links on the path to the current entry.
        var parents: [(file: RunFile, key: [UInt16])] = []
        for (file, key) in sorted {
            while let parent = parents.last,
                !(key.count > parent.key.count && key[parent.key.count] == 1 && key.starts(with: parent.key))
            {
                parents.removeLast()
            }
            if let parent = parents.last?.file {
                var kind = "a file"
                if case .symbolicLink = parent.kind { kind = "a symbolic link, and no link is followed" }
                refuse(pointer.appending(file.path), "cannot be in \"\(parent.path)\", because that is \(kind)")
            }
            if !file.isContainer { parents.append((file, key)) }
        }
    }

    private mutating func refuse(_ pointer: JSONPointer, _ detail: String) {
        faults.append(JSONFault(pointer: pointer, detail: detail))
    }
}

/// A reader of content: text, base64 or the name of a blob.
struct ContentReader {
    private static let sources = ["text", "base64", "blob"]
    private static let rule =
        "must be a string or an object with one of the members \"text\", \"base64\" and \"blob\""

    private(set) var faults: [JSONFault] = []

    /// Reads content.
    ///
    /// - Parameters:
    ///   - value: a string or an object.
    ///   - pointer: its position.
    ///   - names: further members that the object may have.
    /// - Returns: the content; empty if there is a fault.
    mutating func content(
        _ value: JSONValue,
        _ pointer: JSONPointer,
        allowing names: Set<String> = []
    ) -> Content {
        switch value {
        case .string(let text): return .bytes(Array(text.utf8))
        case .object(let object):
            if Self.sources.filter({ object[$0] != nil }).count != 1 { refuse(pointer, Self.rule) }
            var content = Content.empty
            for member in object.members where !names.contains(member.name) {
                content = self.content(member, pointer.appending(member.name), allowing: names)
            }
            return content
        default:
            refuse(pointer, "\(Self.rule), not \(value.typeName)")
            return .empty
        }
    }

    private mutating func content(
        _ member: JSONMember,
        _ pointer: JSONPointer,
        allowing names: Set<String>
    ) -> Content {
        switch member.name {
        case "text":
            guard case .string(let text) = member.value else {
                refuse(pointer, "must be a string, not \(member.value.typeName)")
                return .empty
            }
            return .bytes(Array(text.utf8))
        case "base64":
            guard case .string(let text) = member.value else {
                refuse(pointer, "must be a string, not \(member.value.typeName)")
                return .empty
            }
            guard let bytes = Base64.decode(text) else {
                refuse(pointer, "must be base64 with padding and without white space (RFC 4648, section 4)")
                return .empty
            }
            return .bytes(bytes)
        case "blob":
            return blob(member.value, pointer)
        default:
            refuse(pointer, UnknownMember.detail(member.name, of: Self.sources + names.sorted()))
            return .empty
        }
    }

    /// Reads the name of a blob; the service checks later that the blob exists.
    private mutating func blob(_ value: JSONValue, _ pointer: JSONPointer) -> Content {
        let prefix = "sha256:"
        guard case .string(let name) = value, name.hasPrefix(prefix),
            let digest = SHA256Digest(hexadecimal: String(name.dropFirst(prefix.count))),
            name == prefix + digest.hexadecimal
        else {
            refuse(pointer, "must be \"sha256:\" and the 64 lowercase hexadecimal digits of a blob's digest")
            return .empty
        }
        return .blob(sha256: digest.hexadecimal)
    }

    private mutating func refuse(_ pointer: JSONPointer, _ detail: String) {
        faults.append(JSONFault(pointer: pointer, detail: detail))
    }
}

/// A reader of `artifacts`: patterns for paths below `/box`.
struct ArtifactsReader {
    private(set) var faults: [JSONFault] = []
    private let maximum: Int

    /// - Parameter maximum: the maximum number of patterns.
    init(maximum: Int) {
        self.maximum = maximum
    }

    /// Reads the patterns of a request.
    mutating func patterns(_ value: JSONValue, _ pointer: JSONPointer) -> [Glob] {
        guard case .array(let elements) = value else {
            refuse(pointer, "must be an array of patterns, such as \"out/**\", not \(value.typeName)")
            return []
        }
        guard elements.count <= maximum else {
            refuse(pointer, "must have at most \(maximum, counting: "pattern"), not \(elements.count)")
            return []
        }
        var patterns: [Glob] = []
        for (index, element) in elements.enumerated() {
            guard case .string(let text) = element else {
                refuse(pointer.appending(index), "must be a string, not \(element.typeName)")
                continue
            }
            do throws(Glob.Fault) {
                patterns.append(try Glob(text))
            } catch { refuse(pointer.appending(index), error.detail) }
        }
        return patterns
    }

    private mutating func refuse(_ pointer: JSONPointer, _ detail: String) {
        faults.append(JSONFault(pointer: pointer, detail: detail))
    }
}
