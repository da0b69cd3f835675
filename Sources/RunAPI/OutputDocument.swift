internal import Glibc
internal import JSON
internal import RunModel
internal import System

/// The JSON document of a stream: its kept bytes as text if they are UTF-8, else in base64.
struct OutputDocument: JSONWritable {
    let output: CapturedOutput
    /// The part of a long stream that the request asked to keep.
    var keepOutput = KeepOutput.head

    func write(to writer: inout JSONWriter) {
        let kept = load()
        let inlined = kept.count == output.keptBytes
        // A file may have been removed since the bytes were kept in it.
        let isMissing = kept.count < min(output.keptBytes, RunDocument.inlinedBytes)
        let text = kept.text(isCut: output.truncated || !inlined)
        let isText = text.head.isEmpty && text.tail.isEmpty || text.isValid
        let shown = isText ? text : kept
        let line = isText ? cutLine(between: shown) : []
        let content = shown.tail.isEmpty && line.isEmpty ? shown.head : (shown.head + line + shown.tail)[...]
        writer.object { document in
            if isText {
                document.member("text", utf8: content)
            } else {
                document.member("text", base64: content)
            }
            document.member("encoding", isText ? "utf-8" : "base64")
            document.member("bytes", output.totalBytes)
            document.member("truncated", output.truncated || isMissing)
            if let cut = output.cut {
                document.member("cut") { member in
                    member.object { member in
                        member.member("offset", cut.lowerBound)
                        member.member("bytes", cut.count)
                    }
                }
            }
            if !inlined { document.member("inlined", false) }
        }
    }

    /// Returns the line between the beginning and the end of the text; empty if one of them is the whole text.
    private func cutLine(between parts: Parts) -> [UInt8] {
        guard output.headBytes > 0, !output.tail.isEmpty else { return [] }
        let start = parts.head.last == UInt8(ascii: "\n") || parts.head.isEmpty ? "" : "\n"
        return Array("\(start)[\(output.totalBytes - parts.count, counting: "byte") cut]\n".utf8)
    }

    // MARK: Content

    /// The inlined bytes: those of the beginning, and those of the end.
    private struct Parts {
        var head: ArraySlice<UInt8>
        var tail: ArraySlice<UInt8> = []

        var count: Int { head.count + tail.count }

        var isValid: Bool { UTF8Validation.isValid(head) && UTF8Validation.isValid(tail) }

        /// Returns the whole characters, because a cut may be within one.
        ///
        /// An incomplete character that the command itself wrote last stays as it is.
        func text(isCut: Bool) -> Parts {
            guard isCut else { return self }
            var text = self
            text.tail = tail.dropFirst(tail.prefix(3).prefix { $0 & 0xC0 == 0x80 }.count)
            text.head = head.prefix(UTF8Validation.lengthOfWholeCharacters(prefix: head))
            return text
        }
    }

    private func load() -> Parts {
        // A stream within its limit is one part. If the request asked for the end, that part is the end.
        let isEnd = keepOutput == .tail && output.tail.isEmpty
        let tail = isEnd ? 0..<output.headBytes : output.tail
        let headBytes = isEnd ? 0 : output.headBytes
        // Half of the text for each part, unless one of them needs less.
        let most = RunDocument.inlinedBytes
        let tailCount = min(tail.count, max(most / 2, most - headBytes))
        let headCount = min(headBytes, most - tailCount)
        let tailOffset = output.position(of: tail.upperBound - tailCount)
        switch output.content {
        case .bytes(let bytes):
            return Parts(head: bytes.prefix(headCount), tail: bytes.suffix(tailCount))
        case .file(let path, _):
            let head = Self.read(path, at: 0, headCount)
            return Parts(head: head[...], tail: tailCount == 0 ? [] : Self.read(path, at: tailOffset, tailCount)[...])
        }
    }

    /// Reads `count` bytes of a file from an offset on; fewer if it has been removed or cut.
    private static func read(_ path: String, at offset: Int, _ count: Int) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return [] }
        defer { close(file) }
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, done in
            while done < count {
                let part = pread(file, buffer.baseAddress?.advanced(by: done), count - done, off_t(offset + done))
                guard part > 0 else { return }
                done += part
            }
        }
    }
}
