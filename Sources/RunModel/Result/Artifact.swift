/// A file of a run that was kept when its command had ended.
package struct Artifact: Sendable, Hashable {
    /// The path below `/box`.
    package let path: String
    /// The size in bytes.
    package let bytes: Int
    /// The SHA-256 of the content as 64 lowercase hexadecimal digits, which is also the name of its blob.
    package let sha256: String
    /// A Boolean value indicating whether the owner may execute the file.
    package let isExecutable: Bool

    package init(path: String, bytes: Int, sha256: String, isExecutable: Bool) {
        self.path = path
        self.bytes = bytes
        self.sha256 = sha256
        self.isExecutable = isExecutable
    }
}

/// A file that a run asked to keep and that was not kept.
package struct OmittedArtifact: Sendable, Hashable {
    /// The reason for the omission.
    package enum Reason: String, Sendable, Hashable, CaseIterable {
        /// No file below `/box` matches the pattern.
        case noMatch = "no_match"
        /// The file is a symbolic link, and no link is ever followed.
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
