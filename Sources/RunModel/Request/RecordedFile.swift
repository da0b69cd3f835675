/// An entry of a run's `files` as it is recorded with the run: its name, and for content its size and digest.
package struct RecordedFile: Sendable, Hashable {
    /// The kind of an entry.
    package enum Kind: Sendable, Hashable {
        /// A file.
        case regular(Content, isExecutable: Bool)
        /// A directory.
        case directory
        /// A symbolic link.
        case symbolicLink(target: String)
        /// A tar archive that was unpacked at the path.
        case archive(Content)
    }

    /// The size and digest of a content.
    package struct Content: Sendable, Hashable {
        /// The number of bytes; `nil` until the size of a blob is known.
        package var bytes: Int?
        /// The SHA-256 as 64 lowercase hexadecimal digits.
        package let sha256: String

        package init(bytes: Int?, sha256: String) {
            (self.bytes, self.sha256) = (bytes, sha256)
        }
    }

    /// The path below `/box`; ``RunFile/box`` for an archive that was unpacked in `/box` itself.
    package let path: String
    /// The kind of the entry.
    package private(set) var kind: Kind

    package init(path: String, kind: Kind) {
        (self.path, self.kind) = (path, kind)
    }

    /// Creates the record of an entry.
    ///
    /// - Parameters:
    ///   - file: the entry.
    ///   - digest: returns the SHA-256 of bytes as hexadecimal digits.
    package init(_ file: RunFile, digest: ([UInt8]) -> String) {
        func record(_ content: RunModel.Content) -> Content {
            switch content {
            case .bytes(let bytes): Content(bytes: bytes.count, sha256: digest(bytes))
            case .blob(let sha256): Content(bytes: nil, sha256: sha256)
            }
        }
        path = file.path
        kind =
            switch file.kind {
            case .regular(let content, let isExecutable): .regular(record(content), isExecutable: isExecutable)
            case .directory: .directory
            case .symbolicLink(let target): .symbolicLink(target: target)
            case .archive(let content): .archive(record(content))
            }
    }

    /// The size and digest; `nil` for directories and links.
    package var content: Content? {
        switch kind {
        case .regular(let content, _), .archive(let content): content
        case .directory, .symbolicLink: nil
        }
    }

    /// Sets the size of a blob.
    package mutating func setBytes(_ bytes: Int) {
        switch kind {
        case .regular(var content, let isExecutable):
            content.bytes = bytes
            kind = .regular(content, isExecutable: isExecutable)
        case .archive(var content):
            content.bytes = bytes
            kind = .archive(content)
        case .directory, .symbolicLink: break
        }
    }
}
