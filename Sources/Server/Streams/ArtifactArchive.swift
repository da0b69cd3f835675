internal import Glibc
internal import HTTPServer
internal import Reactor
internal import RunModel
internal import System

/// The body of `artifacts.tar`: the artifacts of one run, read from disk as the client takes them.
@ReactorActor
final class ArtifactArchive {
    private let blobPath: @ReactorActor (SHA256Digest) -> String?
    private let modified: Int
    private var remaining: ArraySlice<Artifact>
    /// Headers and padding that are sent before the file.
    private var blocks: ArraySlice<UInt8> = []
    private var file: OpenFile?
    /// The offsets of the part of the file that is not sent yet.
    private var rest: Range<Int> = 0..<0
    private var isAtEnd = false

    /// - Parameters:
    ///   - run: a finished run.
    ///   - blobPath: returns the path of a blob's file.
    init(_ run: Run, blobPath: @escaping @ReactorActor (SHA256Digest) -> String?) {
        self.blobPath = blobPath
        modified = Int((run.result?.finishedAt.millisecondsSince1970 ?? 0) / 1000)
        remaining = (run.result?.artifacts.kept ?? [])[...]
    }

    func makeBody() -> ResponseStream {
        ResponseStream { buffer in ReactorActor.assumeIsolated { self.read(into: buffer) } }
    }

    private func read(into buffer: UnsafeMutableRawBufferPointer) -> ResponseStream.Part {
        if blocks.isEmpty, rest.isEmpty {
            guard !isAtEnd else { return .end }
            guard beginNext() else { return .failure }
        }
        if !blocks.isEmpty {
            let count = min(blocks.count, buffer.count)
            buffer.copyBytes(from: blocks.prefix(count))
            blocks = blocks.dropFirst(count)
            return .bytes(count)
        }
        guard let file else { return .failure }
        let count = pread(file.descriptor, buffer.baseAddress, min(rest.count, buffer.count), off_t(rest.lowerBound))
        // A file that is too short ends the response without its last chunk, so the client detects the truncation.
        guard count > 0 else { return .failure }
        rest = rest.lowerBound + count..<rest.upperBound
        if rest.isEmpty { endFile() }
        return .bytes(count)
    }

    private func beginNext() -> Bool {
        guard let artifact = remaining.popFirst() else {
            isAtEnd = true
            blocks = TarHeader.endOfArchive[...]
            return true
        }
        guard let digest = SHA256Digest(hexadecimal: artifact.sha256), let path = blobPath(digest),
            let opened = try? OpenFile(path: path)
        else { return false }
        let header = TarHeader(
            path: artifact.path,
            bytes: artifact.bytes,
            isExecutable: artifact.isExecutable,
            modified: modified
        )
        blocks = header.blocks[...]
        (file, rest) = (opened, 0..<artifact.bytes)
        return true
    }

    private func endFile() {
        blocks = [UInt8](repeating: 0, count: TarHeader.padding(after: rest.upperBound))[...]
        file = nil
    }
}

/// The blocks before a file in a tar archive.
///
/// Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Header Block".
struct TarHeader {
    static let blockBytes = 512
    /// The two blocks at the end of an archive.
    static let endOfArchive = [UInt8](repeating: 0, count: 2 * blockBytes)
    /// The largest size that fits into a field of eleven octal digits.
    private static let largestOctal = 1 << 33 - 1

    let path: String
    /// The size of the file in bytes.
    let bytes: Int
    let isExecutable: Bool
    /// The modification time in seconds since 1970.
    let modified: Int

    /// Returns the number of bytes that fill the last block of a file.
    static func padding(after bytes: Int) -> Int { (blockBytes - bytes % blockBytes) % blockBytes }

    /// One block, or at least three if the path or the size does not fit into the fields of one block.
    var blocks: [UInt8] {
        var records: [UInt8] = []
        // Only a pax record declares a path that is not ASCII as UTF-8.
        if path.utf8.count > 100 || path.utf8.contains(where: { $0 >= 0x80 }) { records += Self.record("path", path) }
        if bytes > Self.largestOctal { records += Self.record("size", String(bytes)) }
        let own = block(name: Array(path.utf8.suffix(100)), size: min(bytes, Self.largestOctal), type: "0")
        guard !records.isEmpty else { return own }
        let padding = [UInt8](repeating: 0, count: Self.padding(after: records.count))
        return block(name: Array("PaxHeaders/file".utf8), size: records.count, type: "x") + records + padding + own
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
