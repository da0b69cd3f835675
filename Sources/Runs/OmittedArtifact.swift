/// Something that a run asked to be kept and that was not.
public struct OmittedArtifact: Sendable, Hashable {
    /// Why it was left out.
    public enum Reason: String, Sendable, Hashable, CaseIterable {
        /// Nothing below `/box` is what the pattern says.
        case noMatch = "no_match"
        /// It is a symbolic link, which is never followed.
        case symbolicLink = "symbolic_link"
        /// It is a folder: what is in one is another pattern.
        case folder = "directory"
        /// It is a FIFO, a socket or a device.
        case notAFile = "not_a_file"
        /// It is not this run's own, or on another file system.
        case foreign
        /// The run's own user may not read it.
        case unreadable
        /// Its name is not UTF-8.
        case nameNotUTF8 = "name_not_utf8"
        /// It is in too many folders, or its path is too long.
        case tooDeep = "too_deep"
        /// There are too many before it.
        case tooMany = "too_many"
        /// It is larger than one may be.
        case tooLarge = "too_large"
        /// With those before it, it is more than all may be.
        case totalTooLarge = "total_too_large"
        /// The service has no room for it.
        case notStored = "not_stored"
        /// The time for collecting was over, or the run was cancelled meanwhile.
        case timeOver = "time_over"
        /// The sandbox was gone, and its files with it.
        case sandboxGone = "sandbox_gone"
    }

    /// Its path below `/box`, or the pattern.
    public let path: String
    /// Why it was left out.
    public let reason: Reason
    /// The same for people, with numbers.
    public let detail: String

    /// Something that was left out.
    public init(path: String, reason: Reason, detail: String) {
        self.path = path
        self.reason = reason
        self.detail = detail
    }
}
