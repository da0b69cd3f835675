internal import RunModel

/// Encodes values one after the other in few bytes: the format of the `record` and `request` columns.
struct RecordWriter {
    private(set) var bytes: [UInt8] = []

    /// Writes seven bits per byte, lowest bits first, with the sign in the lowest bit: a small number takes one byte.
    mutating func write(_ number: Int64) {
        var rest = UInt64(bitPattern: number << 1 ^ number >> 63)
        while rest >= 128 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 128)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    mutating func write(_ number: Int) { write(Int64(number)) }

    mutating func write(_ value: Bool) { write(value ? 1 : 0) }

    mutating func write(_ text: String) {
        write(text.utf8.count)
        bytes.append(contentsOf: text.utf8)
    }

    mutating func write(_ content: [UInt8]) {
        write(content.count)
        bytes.append(contentsOf: content)
    }

    mutating func write(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        write(seconds)
        write(attoseconds)
    }

    mutating func write(_ texts: [String]) {
        write(texts.count)
        for text in texts { write(text) }
    }

    mutating func write(_ texts: [String: String]) {
        write(texts.count)
        for (key, value) in texts.sorted(by: { $0.key < $1.key }) {
            write(key)
            write(value)
        }
    }

    /// Writes the members that later versions added to a record, at its end: each has a name and an encoding of its own.
    ///
    /// A reader skips members that it does not know.
    mutating func write(_ members: LaterMembers) {
        write(members.encodings.count)
        for (name, encoding) in members.encodings {
            write(name)
            write(encoding)
        }
    }

    mutating func write<Value>(_ value: Value?, _ body: (inout RecordWriter, Value) -> Void) {
        write(value != nil)
        if let value { body(&self, value) }
    }
}

/// The members that later versions added to a record.
///
/// A record without such a member has the same bytes as in the versions before, and so has the digest of a run.
struct LaterMembers {
    fileprivate(set) var encodings: [(name: String, bytes: [UInt8])] = []

    var isEmpty: Bool { encodings.isEmpty }

    /// Adds a member, which `body` writes.
    mutating func add(_ name: String, _ body: (inout RecordWriter) -> Void) {
        var writer = RecordWriter()
        body(&writer)
        encodings.append((name, writer.bytes))
    }

    /// Reads the member with a name, if the record has it.
    func read<Value>(
        _ name: String,
        _ body: (inout RecordReader) throws(RecordReader.Damage) -> Value
    ) throws(RecordReader.Damage) -> Value? {
        guard let encoding = encodings.first(where: { $0.name == name }) else { return nil }
        var reader = RecordReader(encoding.bytes)
        return try body(&reader)
    }
}

/// Decodes the bytes of a ``RecordWriter``.
struct RecordReader {
    /// The error for bytes that no ``RecordWriter`` produced.
    struct Damage: Error {}

    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func number() throws(Damage) -> Int64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard let byte = rest.popFirst() else { throw Damage() }
            value |= UInt64(byte & 127) << shift
            if byte < 128 { return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1) }
        }
        throw Damage()
    }

    mutating func int() throws(Damage) -> Int { Int(try number()) }

    mutating func bool() throws(Damage) -> Bool { try number() != 0 }

    mutating func bytes() throws(Damage) -> [UInt8] {
        let count = try int()
        guard (0...rest.count).contains(count) else { throw Damage() }
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }

    mutating func text() throws(Damage) -> String { String(decoding: try bytes(), as: UTF8.self) }

    mutating func duration() throws(Damage) -> Duration {
        let seconds = try number()
        return Duration(secondsComponent: seconds, attosecondsComponent: try number())
    }

    mutating func texts() throws(Damage) -> [String] {
        var texts: [String] = []
        for _ in 0..<max(try int(), 0) { texts.append(try text()) }
        return texts
    }

    mutating func pairs() throws(Damage) -> [String: String] {
        var pairs: [String: String] = [:]
        for _ in 0..<max(try int(), 0) {
            let key = try text()
            pairs[key] = try text()
        }
        return pairs
    }

    /// Reads the members at the end of a record; none if it ends before them.
    mutating func laterMembers() throws(Damage) -> LaterMembers {
        var members = LaterMembers()
        guard !isAtEnd else { return members }
        for _ in 0..<max(try int(), 0) {
            let name = try text()
            members.encodings.append((name, try bytes()))
        }
        return members
    }

    mutating func optional<Value>(
        _ body: (inout RecordReader) throws(Damage) -> Value
    ) throws(Damage) -> Value? {
        try bool() ? try body(&self) : nil
    }
}

// MARK: Artifacts

extension RecordWriter {
    mutating func write(_ artifacts: CollectedArtifacts) {
        write(artifacts.kept.count)
        for artifact in artifacts.kept {
            write(artifact.path)
            switch artifact.kind {
            case .regular(let bytes, let sha256, let isExecutable):
                write(bytes)
                write(sha256)
                write(isExecutable)
            // No file has a negative size. The target stands in place of the digest, and a directory has no target.
            case .symbolicLink(let target):
                write(-1)
                write(target)
                write(false)
            case .directory:
                write(-1)
                write("")
                write(false)
            }
        }
        write(artifacts.omitted.count)
        for omitted in artifacts.omitted {
            write(omitted.path)
            write(omitted.reason.rawValue)
            write(omitted.detail)
        }
        write(artifacts.omittedCount)
    }
}

extension RecordReader {
    mutating func artifacts() throws(Damage) -> CollectedArtifacts {
        var artifacts = CollectedArtifacts.none
        for _ in 0..<max(try int(), 0) {
            let path = try text()
            let bytes = try int()
            let text = try text()
            let isExecutable = try bool()
            let kind: Artifact.Kind =
                if bytes >= 0 {
                    .regular(bytes: bytes, sha256: text, isExecutable: isExecutable)
                } else {
                    text.isEmpty ? .directory : .symbolicLink(target: text)
                }
            artifacts.kept.append(Artifact(path: path, kind: kind))
        }
        for _ in 0..<max(try int(), 0) {
            let path = try text()
            guard let reason = OmittedArtifact.Reason(rawValue: try text()) else { throw Damage() }
            artifacts.omitted.append(OmittedArtifact(path: path, reason: reason, detail: try text()))
        }
        artifacts.omittedCount = try int()
        return artifacts
    }
}

// MARK: Files

/// The kind of a file in a record.
///
/// Versions without links, directories and archives wrote 0 or 1: whether a file is executable.
private enum RecordedFileKind: Int {
    case regular, executable, symbolicLink, directory, archive
}

extension RecordWriter {
    mutating func write(_ file: RunFile) {
        write(file.path)
        let (kind, content): (RecordedFileKind, Content) =
            switch file.kind {
            case .regular(let content, let isExecutable): (isExecutable ? .executable : .regular, content)
            case .directory: (.directory, .empty)
            case .symbolicLink(let target): (.symbolicLink, .bytes(Array(target.utf8)))
            case .archive(let content): (.archive, content)
            }
        write(kind.rawValue)
        write(content.blob) { $0.write($1) }
        write(content.bytes ?? [])
    }
}

extension RecordReader {
    mutating func file() throws(Damage) -> RunFile {
        let path = try text()
        guard let recorded = RecordedFileKind(rawValue: try int()) else { throw Damage() }
        let blob = try optional { reader throws(Damage) in try reader.text() }
        let bytes = try bytes()
        let content = blob.map { Content.blob(sha256: $0) } ?? .bytes(bytes)
        let kind: RunFile.Kind =
            switch recorded {
            case .regular: .regular(content, isExecutable: false)
            case .executable: .regular(content, isExecutable: true)
            case .symbolicLink: .symbolicLink(target: String(decoding: bytes, as: UTF8.self))
            case .directory: .directory
            case .archive: .archive(content)
            }
        return RunFile(path: path, kind: kind)
    }
}

// MARK: Recorded files

extension RecordWriter {
    mutating func write(_ files: [RecordedFile]) {
        write(files.count)
        for file in files {
            write(file.path)
            let (kind, text): (RecordedFileKind, String) =
                switch file.kind {
                case .regular(let content, let isExecutable): (isExecutable ? .executable : .regular, content.sha256)
                case .directory: (.directory, "")
                case .symbolicLink(let target): (.symbolicLink, target)
                case .archive(let content): (.archive, content.sha256)
                }
            write(kind.rawValue)
            write(text)
            write(file.content?.bytes) { $0.write($1) }
        }
    }
}

extension RecordReader {
    mutating func recordedFiles() throws(Damage) -> [RecordedFile] {
        var files: [RecordedFile] = []
        for _ in 0..<max(try int(), 0) {
            let path = try text()
            guard let recorded = RecordedFileKind(rawValue: try int()) else { throw Damage() }
            let text = try text()
            let bytes = try optional { reader throws(Damage) in try reader.int() }
            let content = RecordedFile.Content(bytes: bytes, sha256: text)
            let kind: RecordedFile.Kind =
                switch recorded {
                case .regular: .regular(content, isExecutable: false)
                case .executable: .regular(content, isExecutable: true)
                case .symbolicLink: .symbolicLink(target: text)
                case .directory: .directory
                case .archive: .archive(content)
                }
            files.append(RecordedFile(path: path, kind: kind))
        }
        return files
    }
}
