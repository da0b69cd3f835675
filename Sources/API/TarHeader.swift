/// The blocks before a file in an archive.
///
/// Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Header Block".
struct TarHeader {
    static let blockBytes = 512
    /// What stands at an archive's end.
    static let end = [UInt8](repeating: 0, count: 2 * blockBytes)
    /// The largest size that a field of eleven octal digits holds.
    private static let largestOctal = 1 << 33 - 1

    /// What is told of the file.
    let path: String
    let bytes: Int
    let isExecutable: Bool
    /// Seconds since 1970.
    let modified: Int

    /// How many bytes stand behind the file, up to the next block.
    static func padding(behind bytes: Int) -> Int { (blockBytes - bytes % blockBytes) % blockBytes }

    /// One block, or three or more where the fields of one are too small for the path or the size.
    var blocks: [UInt8] {
        var records: [UInt8] = []
        // Of other characters only a record says that they are UTF-8.
        if path.utf8.count > 100 || path.utf8.contains(where: { $0 >= 0x80 }) { records += Self.record("path", path) }
        if bytes > Self.largestOctal { records += Self.record("size", String(bytes)) }
        let own = block(name: Array(path.utf8.suffix(100)), size: min(bytes, Self.largestOctal), type: "0")
        guard !records.isEmpty else { return own }
        let padding = [UInt8](repeating: 0, count: Self.padding(behind: records.count))
        return block(name: Array("PaxHeaders/file".utf8), size: records.count, type: "x") + records + padding + own
    }

    /// A length, which counts itself, a key and a value.
    private static func record(_ key: String, _ value: String) -> [UInt8] {
        let rest = " \(key)=\(value)\n"
        var length = rest.utf8.count
        while String(length).utf8.count + rest.utf8.count != length {
            length = String(length).utf8.count + rest.utf8.count
        }
        return Array("\(length)\(rest)".utf8)
    }

    private func block(name: [UInt8], size: Int, type: Character) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: Self.blockBytes)
        func put(_ text: some Collection<UInt8>, at offset: Int) {
            block.replaceSubrange(offset..<offset + text.count, with: text)
        }
        put(name, at: 0)
        put(Self.octal(isExecutable && type == "0" ? 0o755 : 0o644, digits: 7), at: 100)
        put(Self.octal(0, digits: 7), at: 108)
        put(Self.octal(0, digits: 7), at: 116)
        put(Self.octal(size, digits: 11), at: 124)
        put(Self.octal(modified, digits: 11), at: 136)
        put(repeatElement(UInt8(ascii: " "), count: 8), at: 148)
        put(type.utf8.map { $0 }, at: 156)
        put("ustar".utf8.map { $0 }, at: 257)
        put("00".utf8.map { $0 }, at: 263)
        put(Self.octal(block.reduce(0) { $0 + Int($1) }, digits: 6) + [0], at: 148)
        return block
    }

    private static func octal(_ number: Int, digits: Int) -> [UInt8] {
        let text = String(max(number, 0), radix: 8)
        return Array((String(repeating: "0", count: max(digits - text.count, 0)) + text).utf8)
    }
}
