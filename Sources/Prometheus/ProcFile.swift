internal import Glibc

/// A small file of /proc, read at once.
enum ProcFile {
    /// What it says; empty if it cannot be read.
    static func text(_ path: String) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        while true {
            let part = [UInt8](unsafeUninitializedCapacity: 16 << 10) { buffer, count in
                count = max(0, read(descriptor, buffer.baseAddress, buffer.count))
            }
            if part.isEmpty { return String(decoding: bytes, as: UTF8.self) }
            bytes += part
        }
    }

    /// The numbers in it.
    static func numbers(_ path: String) -> [Int] { text(path).split { $0 == " " || $0 == "\n" }.compactMap { Int($0) } }
}
