internal import Glibc

/// The open descriptors of this process.
///
/// Other threads open and close descriptors too. Compare them only in an exit test, whose process does nothing else.
package enum OpenDescriptors {
    /// Returns each open descriptor and the file behind it.
    package static func list() -> [Int32: String] {
        guard let stream = opendir("/proc/self/fd") else { return [:] }
        defer { closedir(stream) }
        var open: [Int32: String] = [:]
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard let number = Int32(name), number != dirfd(stream) else { continue }
            open[number] = target(of: "/proc/self/fd/" + name)
        }
        return open
    }

    private static func target(of path: String) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { text in
            guard let start = text.baseAddress else { return "" }
            let length = max(0, readlink(path, start, text.count))
            return String(decoding: text[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }
}
