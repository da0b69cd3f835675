internal import JSON
internal import Runs

/// Reads `files`: paths below `/box`, and what is in them.
struct FilesReader {
    private(set) var faults: [JSONFault] = []
    private let most: Int

    /// - Parameter most: how many there may be.
    init(most: Int) {
        self.most = most
    }

    /// The files that a value names.
    mutating func files(_ value: JSONValue, _ place: JSONPointer) -> [RunFile] {
        guard case .object(let object) = value else {
            refuse(place, "must be an object of paths and contents, not \(value.typeName)")
            return []
        }
        if object.members.count > most {
            refuse(place, "must have at most \(most) files, not \(object.members.count)")
        }
        let files = object.members.map { member in
            let place = place.appending(member.name)
            if let fault = Self.fault(of: member.name) { refuse(place, fault) }
            return file(member, place)
        }
        refuseCollisions(files, place)
        return files
    }

    private mutating func file(_ member: JSONMember, _ place: JSONPointer) -> RunFile {
        var isExecutable = false
        if case .object(let object) = member.value, let flag = object["executable"] {
            if case .bool(let value) = flag {
                isExecutable = value
            } else {
                refuse(place.appending("executable"), "must be true or false, not \(flag.typeName)")
            }
        }
        var reader = ContentReader()
        let content = reader.content(member.value, place, beside: ["executable"])
        faults += reader.faults
        return RunFile(path: member.name, content: content, isExecutable: isExecutable)
    }

    /// Why a path cannot be one below `/box`; `nil` if it can.
    private static func fault(of path: String) -> String? {
        let bytes = Array(path.utf8)
        if bytes.isEmpty { return "a path must not be empty" }
        if bytes.contains(0) { return "a path must not hold a NUL character" }
        if bytes.first == UInt8(ascii: "/") { return "a path must be relative: it is below /box" }
        if bytes.count > RunFile.longestPath { return "a path must have at most \(RunFile.longestPath) bytes" }
        for part in bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            switch part.count {
            case 0: return "a path must not have an empty part, nor a slash at its end"
            case 1 where part.elementsEqual(".".utf8), 2 where part.elementsEqual("..".utf8):
                return "a path must not have a part \".\" or \"..\""
            case (RunFile.longestName + 1)...: return "a part of a path must have at most \(RunFile.longestName) bytes"
            default: break
            }
        }
        return nil
    }

    /// No file is a folder of another. (No two have the same path, for they are members of one object.)
    private mutating func refuseCollisions(_ files: [RunFile], _ place: JSONPointer) {
        // With the slash before all other characters whatever is in a folder comes right behind the folder.
        let sorted = files.map {
            (path: $0.path, key: $0.path.utf8.map { $0 == UInt8(ascii: "/") ? 1 : UInt16($0) + 2 })
        }
        .sorted { $0.key.lexicographicallyPrecedes($1.key) }
        for (folder, file) in zip(sorted, sorted.dropFirst()) {
            guard file.key.count > folder.key.count, file.key[folder.key.count] == 1, file.key.starts(with: folder.key)
            else { continue }
            refuse(place.appending(file.path), "cannot be in \"\(folder.path)\", which is a file too")
        }
    }

    private mutating func refuse(_ place: JSONPointer, _ detail: String) {
        faults.append(JSONFault(pointer: place, detail: detail))
    }
}
