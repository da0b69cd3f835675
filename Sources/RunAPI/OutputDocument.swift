internal import Glibc
internal import JSON
internal import RunModel

/// The JSON document of a stream: its kept bytes as text if they are UTF-8, else in base64.
struct OutputDocument: JSONWritable {
    let output: CapturedOutput

    func write(to writer: inout JSONWriter) {
        var kept = load()
        // A limit may cut within a character. An incomplete character that the command itself wrote last stays as it
        // is.
        let inlined = kept.count == output.keptBytes
        // A file may have been removed since the bytes were kept in it.
        let isMissing = kept.count < min(output.keptBytes, RunDocument.inlinedBytes)
        let isCut = output.truncated || !inlined
        let text = isCut ? kept.prefix(UTF8Validation.lengthOfWholeCharacters(prefix: kept)) : kept
        let isText = UTF8Validation.isValid(text)
        if isText { kept = text }
        writer.object { document in
            if isText {
                document.member("text", utf8: kept)
            } else {
                document.member("text", base64: kept)
            }
            document.member("encoding", isText ? "utf-8" : "base64")
            document.member("bytes", output.totalBytes)
            document.member("truncated", output.truncated || isMissing)
            if !inlined { document.member("inlined", false) }
        }
    }

    private func load() -> ArraySlice<UInt8> {
        switch output.content {
        case .bytes(let bytes): return bytes.prefix(RunDocument.inlinedBytes)
        case .file(let path, let count): return Self.read(path, min(count, RunDocument.inlinedBytes))[...]
        }
    }

    /// Reads the first `count` bytes of a file; fewer if it has been removed or cut.
    private static func read(_ path: String, _ count: Int) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return [] }
        defer { close(file) }
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, done in
            while done < count {
                let part = Glibc.read(file, buffer.baseAddress?.advanced(by: done), count - done)
                guard part > 0 else { return }
                done += part
            }
        }
    }
}
