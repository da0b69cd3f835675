/// A file, symbolic link or empty directory of a run that was kept when its command had ended.
package struct Artifact: Sendable, Hashable {
    /// The kind of an artifact.
    package enum Kind: Sendable, Hashable {
        /// A file with its size in bytes and the SHA-256 of its content.
        ///
        /// The 64 lowercase hexadecimal digits are also the name of its blob. The owner may or may not execute it.
        case regular(bytes: Int, sha256: String, isExecutable: Bool)
        /// A symbolic link with a relative target below `/box` (``SymbolicLink``).
        case symbolicLink(target: String)
        /// An empty directory.
        case directory
    }

    /// The path below `/box`.
    package let path: String
    /// The kind of the artifact.
    package let kind: Kind

    package init(path: String, kind: Kind) {
        self.path = path
        self.kind = kind
    }

    /// Creates a file.
    package init(path: String, bytes: Int, sha256: String, isExecutable: Bool) {
        self.init(path: path, kind: .regular(bytes: bytes, sha256: sha256, isExecutable: isExecutable))
    }

    /// The size of a file in bytes; 0 for links and directories.
    package var bytes: Int {
        if case .regular(let bytes, _, _) = kind { bytes } else { 0 }
    }

    /// The digest of a file; `nil` for links and directories.
    package var sha256: String? {
        if case .regular(_, let sha256, _) = kind { sha256 } else { nil }
    }
}

/// A file that a run asked to keep and that was not kept.
package struct OmittedArtifact: Sendable, Hashable {
    /// The reason for the omission.
    package enum Reason: String, Sendable, Hashable, CaseIterable {
        /// No file below `/box` matches the pattern.
        case noMatch = "no_match"
        /// The file is a symbolic link that does not stay below `/box`, or that is named as a directory.
        case symbolicLink = "symbolic_link"
        /// The path is a directory; a pattern for its files ends in `/**`.
        case directory = "directory"
        /// The path is a FIFO, a socket or a device.
        case notAFile = "not_a_file"
        /// The file does not belong to this run, or is on another file system.
        case foreign
        /// The run's own user may not read the file.
        case unreadable
        /// The name is not valid UTF-8.
        case nameNotUTF8 = "name_not_utf8"
        /// The file is nested in too many directories, or its path is too long.
        case tooDeep = "too_deep"
        /// The run has already kept the maximum number of files.
        case tooMany = "too_many"
        /// The file exceeds the maximum size of one file.
        case tooLarge = "too_large"
        /// The file would make the kept files exceed their maximum total size.
        case totalTooLarge = "total_too_large"
        /// The service has no space for the file.
        case notStored = "not_stored"
        /// The time for collecting was over, or the run was cancelled meanwhile.
        case timeOver = "time_over"
        /// The sandbox no longer existed, and neither did its files.
        case sandboxGone = "sandbox_gone"
    }

    /// The path below `/box`, or the pattern.
    package let path: String
    /// The reason for the omission.
    package let reason: Reason
    /// The reason for people, with numbers.
    package let detail: String

    package init(path: String, reason: Reason, detail: String) {
        self.path = path
        self.reason = reason
        self.detail = detail
    }
}

/// The kept and the omitted files of a run.
package struct CollectedArtifacts: Sendable, Hashable {
    /// The kept files, sorted by path.
    package var kept: [Artifact]
    /// The first omitted files.
    package var omitted: [OmittedArtifact]
    /// The number of omitted files, including those that ``omitted`` does not list.
    package var omittedCount: Int

    /// The result of a run that asked for no files.
    package static let none = CollectedArtifacts()

    package init(kept: [Artifact] = [], omitted: [OmittedArtifact] = [], omittedCount: Int = 0) {
        self.kept = kept
        self.omitted = omitted
        self.omittedCount = omittedCount
    }
}
