/// A tar archive that a test writes entry by entry, right or wrong.
struct TarArchive {
    enum Format: String, CaseIterable {
        case posix = "ustar\u{0}00"
        case gnu = "ustar  \u{0}"
    }

    var format = Format.posix
    private(set) var bytes: [UInt8] = []

    init(_ format: Format = .posix) { self.format = format }

    /// The archive with its two final blocks.
    var complete: [UInt8] { bytes + [UInt8](repeating: 0, count: 1024) }

    /// Adds an entry.
    ///
    /// - Parameters:
    ///   - name: the first 100 bytes of the field `name`.
    ///   - type: the field `typeflag`.
    ///   - content: the content, which is padded.
    ///   - link: the field `linkname`.
    ///   - mode: the field `mode`.
    ///   - size: the field `size`; `nil` for the size of the content.
    ///   - prefix: the field `prefix`.
    mutating func add(
        _ name: String,
        _ type: Character = "0",
        _ content: [UInt8] = [],
        link: String = "",
        mode: String = "0000644",
        size: String? = nil,
        prefix: String = ""
    ) {
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at offset: Int, atMost count: Int) {
            for (index, byte) in text.utf8.prefix(count).enumerated() { header[offset + index] = byte }
        }
        func octal(_ number: Int, _ digits: Int) -> String {
            let text = String(number, radix: 8)
            return String(repeating: "0", count: max(digits - text.count, 0)) + text
        }
        put(name, at: 0, atMost: 100)
        put(mode, at: 100, atMost: 8)
        put("0000000", at: 108, atMost: 8)
        put("0000000", at: 116, atMost: 8)
        put(size ?? octal(content.count, 11), at: 124, atMost: 12)
        put("00000000000", at: 136, atMost: 12)
        put("        ", at: 148, atMost: 8)
        put(String(type), at: 156, atMost: 1)
        put(link, at: 157, atMost: 100)
        put(format.rawValue, at: 257, atMost: 8)
        put(prefix, at: 345, atMost: 155)
        put(octal(header.reduce(0) { $0 + Int($1) }, 6) + "\u{0} ", at: 148, atMost: 8)
        bytes += header + content + [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
    }

    /// Adds a pax header with records for the next entry.
    mutating func addPax(_ records: [(key: String, value: String)], type: Character = "x") {
        var content = ""
        for (key, value) in records {
            let rest = " \(key)=\(value)\n"
            var length = rest.utf8.count
            while String(length).utf8.count + rest.utf8.count != length {
                length = String(length).utf8.count + rest.utf8.count
            }
            content += "\(length)\(rest)"
        }
        add("pax", type, Array(content.utf8))
    }
}
