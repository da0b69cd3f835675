/// The blocks before an entry in a tar archive.
///
/// Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Header Block".
package struct TarHeader {
    /// The kind of an entry.
    package enum Kind: Sendable, Hashable {
        /// A file with its size in bytes.
        case regular(bytes: Int, isExecutable: Bool)
        /// A symbolic link.
        case symbolicLink(target: String)
        case directory
    }

    private static let blockBytes = 512
    /// The two blocks at the end of an archive.
    package static let endOfArchive = [UInt8](repeating: 0, count: 2 * blockBytes)
    /// The number of bytes of the fields `name` and `linkname`.
    private static let fieldBytes = 100
    /// The largest size that fits into a field of eleven octal digits.
    private static let largestOctal = 1 << 33 - 1

    private let path: String
    private let kind: Kind
    /// The modification time in seconds since 1970.
    private let modified: Int

    /// - Parameters:
    ///   - path: the path of the entry in the archive, without a slash at its end.
    ///   - kind: the kind of the entry.
    ///   - modified: the modification time in seconds since 1970.
    package init(path: String, kind: Kind, modified: Int) {
        (self.path, self.kind, self.modified) = (path, kind, modified)
    }

    /// Returns the number of bytes that fill the last block of a file.
    package static func padding(after bytes: Int) -> Int { (blockBytes - bytes % blockBytes) % blockBytes }

    /// One block, or at least three if a text or the size does not fit into the fields of one block.
    package var blocks: [UInt8] {
        var bytes = 0
        var target = ""
        var type: Character = "5"
        var mode = 0o755
        switch kind {
        case .regular(let size, let isExecutable): (bytes, type, mode) = (size, "0", isExecutable ? 0o755 : 0o644)
        case .symbolicLink(let text): (target, type, mode) = (text, "2", 0o777)
        case .directory: break
        }
        let path = kind == .directory ? self.path + "/" : self.path
        var records: [UInt8] = []
        if Self.needsRecord(path) { records += Self.record("path", path) }
        if Self.needsRecord(target) { records += Self.record("linkpath", target) }
        if bytes > Self.largestOctal { records += Self.record("size", String(bytes)) }
        let name = Array(path.utf8.suffix(Self.fieldBytes))
        let link = Array(target.utf8.suffix(Self.fieldBytes))
        let own = block(name: name, link: link, size: min(bytes, Self.largestOctal), type: type, mode: mode)
        guard !records.isEmpty else { return own }
        let padding = [UInt8](repeating: 0, count: Self.padding(after: records.count))
        let pax = block(name: Array("PaxHeaders/file".utf8), size: records.count, type: "x", mode: 0o644)
        return pax + records + padding + own
    }

    /// Returns whether a text needs a pax record: only that declares a text that is not ASCII as UTF-8.
    private static func needsRecord(_ text: String) -> Bool {
        text.utf8.count > fieldBytes || text.utf8.contains { $0 >= 0x80 }
    }

    /// Returns a pax record: its length, which includes the digits of the length, a key and a value.
    private static func record(_ key: String, _ value: String) -> [UInt8] {
        let rest = " \(key)=\(value)\n"
        var length = rest.utf8.count
        while String(length).utf8.count + rest.utf8.count != length {
            length = String(length).utf8.count + rest.utf8.count
        }
        return Array("\(length)\(rest)".utf8)
    }

    private func block(name: [UInt8], link: [UInt8] = [], size: Int, type: Character, mode: Int) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: Self.blockBytes)
        func put(_ text: some Collection<UInt8>, at offset: Int) {
            block.replaceSubrange(offset..<offset + text.count, with: text)
        }
        put(name, at: 0)
        put(Self.octal(mode, digits: 7), at: 100)
        put(Self.octal(0, digits: 7), at: 108)
        put(Self.octal(0, digits: 7), at: 116)
        put(Self.octal(size, digits: 11), at: 124)
        put(Self.octal(modified, digits: 11), at: 136)
        put(repeatElement(UInt8(ascii: " "), count: 8), at: 148)
        put(type.utf8.map { $0 }, at: 156)
        put(link, at: 157)
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
