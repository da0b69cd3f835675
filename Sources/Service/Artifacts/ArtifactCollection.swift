internal import Glibc
internal import Reactor
internal import RunModel
internal import Sandbox
internal import Store
internal import System

/// The search for the artifacts of one run, which stores each artifact as a blob.
///
/// The search consists of small steps on the blob store's threads, so a run with many files delays neither the
/// reactor nor other runs. Each step requests the next one and may run on any of the threads.
package final class ArtifactCollection: @unchecked Sendable {
    // SAFETY: one step at a time uses the variables, because each step is requested at the end of the one before.
    // `isCancelled` has a lock.

    /// The time limit of the whole search.
    private static let timeout = Duration.seconds(60)
    /// The maximum number of names that one step handles.
    private static let stepNames = 256
    /// The maximum number of bytes that one step reads.
    private static let stepBytes = 1 << 20
    private static let bufferBytes = 128 << 10
    private static let notFollowed = "it is a symbolic link, and links are not followed"

    /// A directory on the path from `/box` to the current position.
    private struct Level {
        /// The name in the parent directory; empty for `/box`.
        let name: [UInt8]
        let position: GlobPosition
        /// The entries that match a pattern and are not handled yet, in reverse order.
        var entries: [(entry: DirectoryEntry, match: GlobPosition.Match)]
    }

    /// A file that is being copied into a blob.
    private struct Copy: ~Copyable {
        let descriptor: Descriptor
        let path: String
        let isExecutable: Bool
        let blob: ArtifactWriter
    }

    private let files: SandboxFiles
    private let globs: [Glob]
    private let limits: ArtifactLimits
    private let run: RunID
    private let principal: String
    private let store: BlobStore
    private let isCancelled = Lock(false)

    private var tally: ArtifactTally
    /// The indices of the patterns that matched something.
    private var matched: Set<Int> = []
    private var levels: [Level] = []
    /// The directory of the last level, if it is open.
    private var directory: Descriptor?
    private var copy: Copy?
    /// The device of the run's file system and the run's user.
    private var box: (device: dev_t, owner: uid_t) = (0, 0)
    private var hasBegun = false
    private var buffer: [UInt8] = []
    private var deadline = MonotonicTime(nanoseconds: 0)
    /// The reason why the search stops early.
    private var interruption: (OmittedArtifact.Reason, String)?

    /// Creates a search, which ``start(_:)`` begins.
    ///
    /// - Parameters:
    ///   - files: the files of the run's sandbox.
    ///   - globs: the patterns of the files to keep.
    ///   - limits: the number and sizes of the files to keep.
    ///   - run: the run.
    ///   - principal: the run's owner.
    ///   - store: the store of the blobs.
    init(
        _ files: SandboxFiles,
        _ globs: [Glob],
        _ limits: ArtifactLimits,
        run: RunID,
        principal: String,
        store: BlobStore
    ) {
        (self.files, self.globs, self.limits) = (files, globs, limits)
        (self.run, self.principal, self.store) = (run, principal, store)
        tally = ArtifactTally(limits)
    }

    /// Ends the search with the artifacts that are complete.
    func cancel() { isCancelled.withLock { $0 = true } }

    /// Starts the search.
    ///
    /// - Parameter completion: called once, on one of the blob store's threads.
    func start(_ completion: @escaping @Sendable (CollectedArtifacts) -> Void) {
        store.perform { [self] in
            if step() { return start(completion) }
            completion(tally.artifacts)
        }
    }

    // MARK: Steps

    /// Performs one step and returns whether another one is necessary.
    private func step() -> Bool {
        if !hasBegun { begin() }
        if isCancelled.withLock({ $0 }) {
            interrupt(.timeOver, "the run was cancelled during the collection of its artifacts")
        } else if MonotonicTime.now >= deadline {
            interrupt(.timeOver, "the collection took longer than \(Self.timeout.components.seconds) s")
        }
        if copy != nil {
            if interruption == nil { continueCopy() } else { abandonCopy() }
            return true
        }
        for _ in 0..<Self.stepNames {
            guard interruption == nil, !levels.isEmpty else { break }
            guard let (entry, match) = levels[levels.count - 1].entries.popLast() else {
                levels.removeLast()
                directory = nil
                continue
            }
            visit(entry, match)
            if copy != nil { return true }
        }
        guard interruption != nil || levels.isEmpty else { return true }
        finish()
        return false
    }

    private func begin() {
        hasBegun = true
        buffer = [UInt8](repeating: 0, count: Self.bufferBytes)
        deadline = .now.advanced(by: Self.timeout)
        do throws(SystemError) {
            let opened = try files.openBox()
            var status = stat()
            guard fstat(opened.raw, &status) == 0 else { throw SystemError("fstat") }
            box = (status.st_dev, status.st_uid)
            enter(opened, named: [], GlobPosition(globs))
        } catch {
            omit(".", after: error, isDirectory: true)
        }
    }

    private func finish() {
        if let (reason, detail) = interruption {
            tally.omit(".", reason, detail)
        } else {
            for index in globs.indices where !matched.contains(index) {
                tally.omit(globs[index].text, .noMatch, "nothing below /box matches the pattern")
            }
        }
        levels = []
        directory = nil
    }

    private func interrupt(_ reason: OmittedArtifact.Reason, _ detail: String) {
        if interruption == nil { interruption = (reason, detail) }
    }

    // MARK: Directories

    /// Reads the entries of a directory, which stays open for them.
    ///
    /// - Returns: true if the directory is empty.
    @discardableResult
    private func enter(_ opened: consuming Descriptor, named name: [UInt8], _ position: GlobPosition) -> Bool {
        var level = Level(name: name, position: position, entries: [])
        var isEmpty = true
        do throws(SystemError) {
            try DirectoryEntry.forEach(in: opened) { entry in
                isEmpty = false
                let match = position.match(Self.scalars(entry.name))
                if !match.isEmpty { level.entries.append((entry, match)) }
            }
        } catch {
            levels.append(level)
            omit(path(), after: error, isDirectory: true)
            levels.removeLast()
            return false
        }
        level.entries.sort { $1.entry.name.lexicographicallyPrecedes($0.entry.name) }
        levels.append(level)
        directory = .some(opened)
        return isEmpty
    }

    /// Opens an entry of the last level's directory.
    private func open(_ name: [UInt8], isLink: Bool = false) throws(SystemError) -> Descriptor {
        let current: Descriptor
        if let open = directory.take() { current = open } else { current = try reopen() }
        do throws(SystemError) {
            let opened = isLink ? try files.openLink(name, in: current) : try files.open(name, in: current)
            directory = .some(current)
            return opened
        } catch {
            directory = .some(current)
            throw error
        }
    }

    /// Opens the last level's directory again, from `/box` on.
    ///
    /// A collection keeps only one directory open, however deep that directory is.
    private func reopen() throws(SystemError) -> Descriptor {
        var opened = try files.openBox()
        for level in levels.dropFirst() { opened = try files.open(level.name, in: opened) }
        return opened
    }

    // MARK: Entries

    private func visit(_ entry: DirectoryEntry, _ match: GlobPosition.Match) {
        let path = path(entry.name)
        switch entry.kind {
        case .directory: descend(entry.name, path, match)
        case .file where !match.globs.isEmpty, .unknown where !match.globs.isEmpty: keep(entry.name, path, match)
        case .symbolicLink where !match.globs.isEmpty: keepLink(entry.name, path, match)
        case .symbolicLink where match.isNamedBelow: tally.omit(path, .symbolicLink, Self.notFollowed)
        case .other where !match.globs.isEmpty:
            matched.formUnion(match.globs)
            tally.omit(path, .notAFile, "it is a FIFO, a socket or a device")
        case .file, .unknown, .symbolicLink, .other: break
        }
    }

    private func descend(_ name: [UInt8], _ path: String, _ match: GlobPosition.Match) {
        if !match.named.isEmpty {
            matched.formUnion(match.named)
            tally.omit(path, .directory, "it is a directory; the pattern \"\(path)/**\" keeps its content")
        }
        guard !match.below.isExhausted else { return }
        guard levels.count <= limits.depth else {
            return tally.omit(
                path,
                .tooDeep,
                "it is a directory more than \(limits.depth, counting: "level") below /box (--max-artifact-depth)"
            )
        }
        do throws(SystemError) {
            let opened = try open(name)
            guard ownStatus(of: opened, type: S_IFDIR) != nil else {
                return tally.omit(path, .foreign, "it does not belong to the run")
            }
            let isEmpty = enter(opened, named: name, match.below)
            // A pattern that ends in `**` stands for all that is below a directory.
            if isEmpty, match.globs.count > match.named.count { keepEmptyDirectory(name, path, match) }
        } catch { omit(path, after: error, isDirectory: true) }
    }

    /// Returns whether an entry can be kept by its path, and otherwise omits it.
    private func mayKeep(_ name: [UInt8], _ path: String) -> Bool {
        if String(validating: name, as: UTF8.self) == nil || !isUTF8 {
            tally.omit(path, .nameNotUTF8, "its name is not UTF-8; U+FFFD replaces the invalid bytes here")
        } else if path.utf8.count > RunFile.longestPath {
            tally.omit(path, .tooDeep, "its path is longer than \(RunFile.longestPath) bytes")
        } else if let (reason, detail) = tally.obstacle(to: path, bytes: 0) {
            tally.omit(path, reason, detail)
        } else {
            return true
        }
        return false
    }

    private func keepEmptyDirectory(_ name: [UInt8], _ path: String, _ match: GlobPosition.Match) {
        matched.formUnion(match.globs)
        // The directory is now the last level itself.
        if mayKeep(name, path) { tally.keep(Artifact(path: path, kind: .directory)) }
    }

    /// Keeps a link as what it is, if it stays below `/box`.
    private func keepLink(_ name: [UInt8], _ path: String, _ match: GlobPosition.Match) {
        matched.formUnion(match.globs)
        guard mayKeep(name, path) else { return }
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try readLink(name) } catch {
            return omit(path, after: error, isDirectory: false)
        }
        guard let target = String(validating: bytes, as: UTF8.self) else {
            return tally.omit(path, .symbolicLink, "it is a symbolic link whose target is not UTF-8")
        }
        if let fault = SymbolicLink.fault(of: target, at: path) {
            return tally.omit(path, .symbolicLink, "it is a symbolic link that is not kept: \(fault)")
        }
        if let (reason, detail) = tally.obstacle(to: path + target, bytes: 0) {
            return tally.omit(path, reason, detail)
        }
        tally.keep(Artifact(path: path, kind: .symbolicLink(target: target)))
    }

    /// Returns the target of a symbolic link in the last level's directory.
    private func readLink(_ name: [UInt8]) throws(SystemError) -> [UInt8] {
        let opened = try open(name, isLink: true)
        guard ownStatus(of: opened, type: S_IFLNK) != nil else { throw SystemError("readlink", number: EPERM) }
        // One byte more than the longest target.
        var target = [CChar](repeating: 0, count: SymbolicLink.longestTarget + 1)
        let count = readlinkat(opened.raw, "", &target, target.count)
        guard count >= 0 else { throw SystemError("readlink") }
        return target.prefix(count).map { UInt8(bitPattern: $0) }
    }

    /// Begins to copy a file if it may be kept.
    private func keep(_ name: [UInt8], _ path: String, _ match: GlobPosition.Match) {
        matched.formUnion(match.globs)
        guard mayKeep(name, path) else { return }
        let opened: Descriptor
        do throws(SystemError) { opened = try open(name) } catch { return omit(path, after: error, isDirectory: false) }
        guard let status = ownStatus(of: opened, type: nil) else {
            return tally.omit(path, .foreign, "it does not belong to the run")
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            return tally.omit(path, .notAFile, "it is not a regular file")
        }
        if let (reason, detail) = tally.obstacle(to: path, bytes: Int(status.st_size)) {
            return tally.omit(path, reason, detail)
        }
        do throws(BlobError) {
            let blob = try store.createArtifact(bytes: Int(status.st_size), of: run, owner: principal)
            let isExecutable = status.st_mode & S_IXUSR != 0
            copy = Copy(descriptor: opened, path: path, isExecutable: isExecutable, blob: blob)
        } catch { omit(path, after: error) }
    }

    /// Returns the status of an open file of the run's user in the run's own file system; `nil` for any other file.
    ///
    /// A `type` other than `nil` is the required file type.
    private func ownStatus(of opened: borrowing Descriptor, type: mode_t?) -> stat? {
        var status = stat()
        guard fstat(opened.raw, &status) == 0, status.st_dev == box.device, status.st_uid == box.owner else {
            return nil
        }
        return type.map { status.st_mode & S_IFMT == $0 } ?? true ? status : nil
    }

    // MARK: Copying

    private func continueCopy() {
        guard let file = copy.take() else { return }
        var remaining = Self.stepBytes
        do throws(BlobError) {
            while remaining > 0 {
                let count = FileIO.retrying {
                    buffer.withUnsafeMutableBytes { read(file.descriptor.raw, $0.baseAddress, $0.count) }
                }
                guard count >= 0 else { throw .incomplete }
                if count == 0 { break }
                let failure: BlobError? = buffer.withUnsafeBytes { bytes in
                    let part = UnsafeRawBufferPointer(rebasing: bytes[..<count])
                    do throws(BlobError) { try file.blob.append(part) } catch { return error }
                    return nil
                }
                if let failure { throw failure }
                remaining -= count
            }
            guard remaining > 0 else {
                copy = .some(file)
                return
            }
            let digest = try file.blob.finish()
            tally.keep(
                Artifact(
                    path: file.path,
                    bytes: file.blob.bytes,
                    sha256: digest.hexadecimal,
                    isExecutable: file.isExecutable
                )
            )
        } catch { omit(file.path, after: error) }
    }

    private func abandonCopy() {
        guard let file = copy.take(), let (reason, detail) = interruption else { return }
        tally.omit(file.path, reason, detail)
    }

    // MARK: Names and reasons

    /// Returns the path of an entry of the last level's directory, or of that directory, relative to `/box`.
    private func path(_ name: [UInt8]? = nil) -> String {
        let names = levels.dropFirst().map(\.name) + (name.map { [$0] } ?? [])
        return String(decoding: Array(names.joined(separator: [UInt8(ascii: "/")])), as: UTF8.self)
    }

    /// True if the names of all open levels are UTF-8.
    private var isUTF8: Bool { levels.allSatisfy { String(validating: $0.name, as: UTF8.self) != nil } }

    private static func scalars(_ name: [UInt8]) -> [Unicode.Scalar] {
        Array(String(decoding: name, as: UTF8.self).unicodeScalars)
    }

    private func omit(_ path: String, after error: SystemError, isDirectory: Bool) {
        switch error.number {
        case EACCES, EPERM:
            let subject = isDirectory ? "this directory" : "this file"
            tally.omit(path, .unreadable, "the run's user has no permission to read \(subject)")
        case ELOOP: tally.omit(path, .symbolicLink, Self.notFollowed)
        case ENXIO, ENODEV: tally.omit(path, .notAFile, "it is a FIFO, a socket or a device")
        case EPIPE, ECONNRESET, ETIMEDOUT, EBADMSG:
            interrupt(.sandboxGone, "the sandbox ended before all artifacts were collected")
        default: tally.omit(path, .unreadable, "it cannot be read: \(error)")
        }
    }

    private func omit(_ path: String, after error: BlobError) {
        switch error {
        case .overQuota(let bytes):
            tally.omit(
                path,
                .notStored,
                "the blob quota of \(bytes, counting: "byte") has no room for it (--blob-bytes)"
            )
        case .notStored(let error): tally.omit(path, .notStored, "it cannot be stored: \(error)")
        case .incomplete, .digestMismatch, .tooManyUploads:
            tally.omit(path, .unreadable, "it could not be read completely")
        }
    }
}
