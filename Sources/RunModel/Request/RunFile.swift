/// An entry that a run finds below `/box`: a file, a directory, a symbolic link, or an archive of them.
package struct RunFile: Sendable, Hashable {
    /// The kind of an entry.
    package enum Kind: Sendable, Hashable {
        /// A file, which the command may or may not execute.
        case regular(Content, isExecutable: Bool)
        /// A directory, which may stay empty.
        case directory
        /// A symbolic link with a relative target below `/box` (``SymbolicLink``).
        case symbolicLink(target: String)
        /// A tar archive, which is unpacked at the path.
        case archive(Content)
    }

    /// The maximum length of a path in bytes: the kernel's PATH_MAX without `/box/` and the final NUL.
    package static let longestPath = 4096 - 6
    /// The maximum length of a name between slashes in bytes (NAME_MAX).
    package static let longestName = 255
    /// The maximum number of entries of one archive.
    package static let maximumArchiveEntries = 100_000
    /// The path of an archive that is unpacked in `/box` itself.
    package static let box = "."

    /// The path below `/box`, such as `src/main.c`; ``box`` for an archive only.
    package let path: String
    /// The kind of the entry.
    package let kind: Kind

    package init(path: String, kind: Kind) {
        self.path = path
        self.kind = kind
    }

    /// Creates a file.
    package init(path: String, content: Content, isExecutable: Bool = false) {
        self.init(path: path, kind: .regular(content, isExecutable: isExecutable))
    }

    /// The content of a file or an archive; empty for directories and links.
    package var content: Content {
        switch kind {
        case .regular(let content, _), .archive(let content): content
        case .directory, .symbolicLink: .empty
        }
    }

    /// A Boolean value indicating whether the entry is a file that the command may execute.
    package var isExecutable: Bool {
        if case .regular(_, let isExecutable) = kind { isExecutable } else { false }
    }

    /// A Boolean value indicating whether other entries may be below the path.
    package var isContainer: Bool {
        switch kind {
        case .directory, .archive: true
        case .regular, .symbolicLink: false
        }
    }

    /// The number of bytes that the entry occupies in memory.
    package var bytesInMemory: Int {
        if case .symbolicLink(let target) = kind { return path.utf8.count + target.utf8.count }
        return path.utf8.count + content.bytesInMemory
    }
}

/// The rule for symbolic links among the files of runs: a link stays below `/box`.
package enum SymbolicLink {
    /// The maximum length of a target in bytes: PATH_MAX without the final NUL.
    package static let longestTarget = 4095

    /// Returns the fault of a link's target; `nil` for a target that stays below `/box`.
    ///
    /// The target is resolved by its text alone, from the directory of the link. No prefix of it may leave `/box`.
    ///
    /// - Parameters:
    ///   - target: the text of the link.
    ///   - path: the path of the link below `/box`.
    /// - Returns: the fault for people.
    package static func fault(of target: String, at path: String) -> String? {
        let bytes = target.utf8
        if bytes.isEmpty { return "the target of a link must not be empty" }
        if bytes.contains(0) { return "the target of a link must not contain a NUL character" }
        if bytes.count > longestTarget { return "the target of a link must have at most \(longestTarget) bytes" }
        if bytes.first == UInt8(ascii: "/") { return "the target of a link must be relative, not absolute" }
        var depth = path.utf8.count { $0 == UInt8(ascii: "/") }
        for part in bytes.split(separator: UInt8(ascii: "/")) where !part.elementsEqual(".".utf8) {
            depth += part.elementsEqual("..".utf8) ? -1 : 1
            if depth < 0 { return "the target of a link must stay below /box" }
        }
        return nil
    }
}

/// The bytes of a run's standard input or of one of its files.
package enum Content: Sendable, Hashable {
    /// The bytes themselves.
    case bytes([UInt8])
    /// The bytes of the blob with this SHA-256, as 64 lowercase hexadecimal digits.
    case blob(sha256: String)

    /// No bytes.
    package static let empty = Content.bytes([])

    /// A Boolean value indicating whether the content is known to be empty.
    ///
    /// It is `false` for every blob, because the size of a blob is not known here.
    package var isEmpty: Bool { self == .empty }

    /// The number of bytes that the content occupies in memory.
    package var bytesInMemory: Int {
        switch self {
        case .bytes(let bytes): bytes.count
        case .blob(let digest): digest.utf8.count
        }
    }

    /// The bytes; `nil` for a blob.
    package var bytes: [UInt8]? {
        if case .bytes(let bytes) = self { bytes } else { nil }
    }

    /// The digest of the blob; `nil` for bytes.
    package var blob: String? {
        if case .blob(let digest) = self { digest } else { nil }
    }
}

extension Content: ExpressibleByArrayLiteral {
    package init(arrayLiteral elements: UInt8...) { self = .bytes(elements) }
}
