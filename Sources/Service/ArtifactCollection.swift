internal import Digests
internal import Glibc
internal import Locks
internal import Reactor
internal import Runs
internal import Sandbox
internal import Store

/// Goes through what one run has left, and makes blobs of what it asked to be kept.
///
/// Done in small steps on the threads that write blobs, so that a run with much to keep holds up neither the reactor nor other runs. A
/// step is made after the one before it, on whichever of the threads.
final class ArtifactCollection: @unchecked Sendable {
    // SAFETY: the variables are used by one step at a time, and each step is wished for at the end of the one before; `isCancelled` has
    // its lock.

    /// How long all of it may take.
    private static let patience = Duration.seconds(60)
    /// What one step does at most: so many names, or so many bytes.
    private static let stepNames = 256
    private static let stepBytes = 1 << 20
    private static let bufferBytes = 128 << 10

    /// A folder that is being gone through.
    private struct Level {
        /// Its name in the one before it; that of `/box` is empty.
        let name: [UInt8]
        let place: GlobPlace
        /// What in it matters, the last first.
        var entries: [(entry: FolderEntry, match: GlobPlace.Match)]
    }

    /// A file that is being read.
    private struct Reading: ~Copyable {
        let descriptor: Descriptor
        let path: String
        let isExecutable: Bool
        let blob: RunBlob
    }

    private let files: LeftFiles
    private let globs: [Glob]
    private let limits: ArtifactLimits
    private let run: RunID
    private let principal: String
    private let store: BlobStore
    private let isCancelled = Lock(false)

    private var tally: ArtifactTally
    private var matched: Set<Int> = []
    private var levels: [Level] = []
    /// The folder of the last level, if it is open.
    private var folder: Descriptor?
    private var reading: Reading?
    private var box: (device: dev_t, owner: uid_t) = (0, 0)
    private var isBegun = false
    private var buffer: [UInt8] = []
    private var deadline = MonotonicTime(nanoseconds: 0)
    /// Why nothing more is read.
    private var interruption: (OmittedArtifact.Reason, String)?

    /// - Parameters:
    ///   - files: what the run has left.
    ///   - globs: what of it is to be kept.
    ///   - limits: how much.
    ///   - run: which run it is.
    ///   - principal: whose it is.
    ///   - store: where blobs are kept.
    init(
        _ files: LeftFiles,
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

    /// Has it end with what there is by then.
    func cancel() { isCancelled.withLock { $0 = true } }

    /// Begins.
    ///
    /// - Parameter completion: called once, on one of the threads.
    func start(_ completion: @escaping @Sendable (CollectedArtifacts) -> Void) {
        store.perform { [self] in
            if step() { return start(completion) }
            completion(tally.artifacts)
        }
    }

    // MARK: Steps

    /// Goes on for a moment.
    ///
    /// - Returns: whether there is more to do.
    private func step() -> Bool {
        if !isBegun { begin() }
        if isCancelled.withLock({ $0 }) {
            interrupt(.timeOver, "the run was cancelled before all of it was collected")
        } else if MonotonicTime.now >= deadline {
            interrupt(.timeOver, "collecting took longer than \(Self.patience.components.seconds) s")
        }
        if reading != nil {
            if interruption == nil { readOn() } else { giveUpReading() }
            return true
        }
        for _ in 0..<Self.stepNames {
            guard interruption == nil, !levels.isEmpty else { break }
            guard let (entry, match) = levels[levels.count - 1].entries.popLast() else {
                levels.removeLast()
                folder = nil
                continue
            }
            look(at: entry, match)
            if reading != nil { return true }
        }
        guard interruption != nil || levels.isEmpty else { return true }
        finish()
        return false
    }

    private func begin() {
        isBegun = true
        buffer = [UInt8](repeating: 0, count: Self.bufferBytes)
        deadline = .now.advanced(by: Self.patience)
        do throws(SystemError) {
            let opened = try files.openBox()
            var status = stat()
            guard fstat(opened.raw, &status) == 0 else { throw SystemError("fstat") }
            box = (status.st_dev, status.st_uid)
            enter(opened, named: [], GlobPlace(globs))
        } catch {
            explain(error, of: ".", isFolder: true)
        }
    }

    private func finish() {
        if let (reason, detail) = interruption {
            tally.leaveOut(".", reason, detail)
        } else {
            for index in globs.indices where !matched.contains(index) {
                tally.leaveOut(globs[index].text, .noMatch, "nothing below /box is what the pattern says")
            }
        }
        levels = []
        folder = nil
    }

    private func interrupt(_ reason: OmittedArtifact.Reason, _ detail: String) {
        if interruption == nil { interruption = (reason, detail) }
    }

    // MARK: Folders

    /// Reads the names in a folder: it stays open for what is in it.
    private func enter(_ opened: consuming Descriptor, named name: [UInt8], _ place: GlobPlace) {
        var level = Level(name: name, place: place, entries: [])
        do throws(SystemError) {
            try FolderEntry.each(in: opened) { entry in
                let match = place.match(Self.scalars(entry.name))
                if !match.isNothing { level.entries.append((entry, match)) }
            }
        } catch {
            levels.append(level)
            explain(error, of: path(), isFolder: true)
            levels.removeLast()
            return
        }
        level.entries.sort { $1.entry.name.lexicographicallyPrecedes($0.entry.name) }
        levels.append(level)
        folder = .some(opened)
    }

    /// Opens something in the folder of the last level.
    private func open(_ name: [UInt8]) throws(SystemError) -> Descriptor {
        let current: Descriptor
        if let kept = folder.take() { current = kept } else { current = try reopen() }
        do throws(SystemError) {
            let opened = try files.open(name, in: current)
            folder = .some(current)
            return opened
        } catch {
            folder = .some(current)
            throw error
        }
    }

    /// Opens the folder of the last level anew, from `/box` on: of each collection one folder is open, however deep it is.
    private func reopen() throws(SystemError) -> Descriptor {
        var opened = try files.openBox()
        for level in levels.dropFirst() { opened = try files.open(level.name, in: opened) }
        return opened
    }

    // MARK: Entries

    private func look(at entry: FolderEntry, _ match: GlobPlace.Match) {
        let path = path(entry.name)
        switch entry.kind {
        case .folder: descend(entry.name, path, match)
        case .file where !match.globs.isEmpty, .unknown where !match.globs.isEmpty: take(entry.name, path, match)
        case .symbolicLink where !match.globs.isEmpty || match.isNamedBelow:
            matched.formUnion(match.globs)
            tally.leaveOut(path, .symbolicLink, "it is a symbolic link, and none is followed")
        case .other where !match.globs.isEmpty:
            matched.formUnion(match.globs)
            tally.leaveOut(path, .notAFile, "it is a FIFO, a socket or a device")
        case .file, .unknown, .symbolicLink, .other: break
        }
    }

    private func descend(_ name: [UInt8], _ path: String, _ match: GlobPlace.Match) {
        if !match.named.isEmpty {
            matched.formUnion(match.named)
            tally.leaveOut(path, .folder, "it is a folder; what is in it and below it is \"\(path)/**\"")
        }
        guard !match.below.isNowhere else { return }
        guard levels.count <= limits.depth else {
            return tally.leaveOut(
                path,
                .tooDeep,
                "it is a folder in \(limits.depth) others; no deeper one is looked into (--max-artifact-depth)"
            )
        }
        do throws(SystemError) {
            let opened = try open(name)
            guard isOwn(opened, S_IFDIR) != nil else {
                return tally.leaveOut(path, .foreign, "it is not the run's own")
            }
            enter(opened, named: name, match.below)
        } catch { explain(error, of: path, isFolder: true) }
    }

    private func take(_ name: [UInt8], _ path: String, _ match: GlobPlace.Match) {
        matched.formUnion(match.globs)
        guard String(validating: name, as: UTF8.self) != nil, isUTF8 else {
            return tally.leaveOut(path, .nameNotUTF8, "its name is not UTF-8; here it stands with U+FFFD in it")
        }
        guard path.utf8.count <= RunFile.longestPath else {
            return tally.leaveOut(path, .tooDeep, "its path has more than \(RunFile.longestPath) bytes")
        }
        if let (reason, detail) = tally.obstacle(to: path, bytes: 0) { return tally.leaveOut(path, reason, detail) }
        let opened: Descriptor
        do throws(SystemError) { opened = try open(name) } catch { return explain(error, of: path, isFolder: false) }
        guard let status = isOwn(opened, nil) else {
            return tally.leaveOut(path, .foreign, "it is not the run's own")
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            return tally.leaveOut(path, .notAFile, "it is not a regular file")
        }
        if let (reason, detail) = tally.obstacle(to: path, bytes: Int(status.st_size)) {
            return tally.leaveOut(path, reason, detail)
        }
        do throws(BlobError) {
            let blob = try store.keep(bytes: Int(status.st_size), of: run, owner: principal)
            let isExecutable = status.st_mode & S_IXUSR != 0
            reading = Reading(descriptor: opened, path: path, isExecutable: isExecutable, blob: blob)
        } catch { explain(error, of: path) }
    }

    /// What is open, if it belongs to the run: its user's, in its own file system, and of a type, if one is told.
    private func isOwn(_ opened: borrowing Descriptor, _ type: mode_t?) -> stat? {
        var status = stat()
        guard fstat(opened.raw, &status) == 0, status.st_dev == box.device, status.st_uid == box.owner else {
            return nil
        }
        return type.map { status.st_mode & S_IFMT == $0 } ?? true ? status : nil
    }

    // MARK: Reading

    private func readOn() {
        guard let file = reading.take() else { return }
        var left = Self.stepBytes
        do throws(BlobError) {
            while left > 0 {
                let count = buffer.withUnsafeMutableBytes { read(file.descriptor.raw, $0.baseAddress, $0.count) }
                if count < 0, errno == EINTR { continue }
                guard count >= 0 else { throw .cutOff }
                if count == 0 { break }
                let failure: BlobError? = buffer.withUnsafeBytes { bytes in
                    let part = UnsafeRawBufferPointer(rebasing: bytes[..<count])
                    do throws(BlobError) { try file.blob.append(part) } catch { return error }
                    return nil
                }
                if let failure { throw failure }
                left -= count
            }
            guard left > 0 else {
                reading = .some(file)
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
        } catch { explain(error, of: file.path) }
    }

    private func giveUpReading() {
        guard let file = reading.take(), let (reason, detail) = interruption else { return }
        tally.leaveOut(file.path, reason, detail)
    }

    // MARK: Names and reasons

    /// The path of something in the folder of the last level, or of that folder.
    private func path(_ name: [UInt8]? = nil) -> String {
        let names = levels.dropFirst().map(\.name) + (name.map { [$0] } ?? [])
        return String(decoding: Array(names.joined(separator: [UInt8(ascii: "/")])), as: UTF8.self)
    }

    /// Whether the names of all folders down to here are UTF-8.
    private var isUTF8: Bool { levels.allSatisfy { String(validating: $0.name, as: UTF8.self) != nil } }

    private static func scalars(_ name: [UInt8]) -> [Unicode.Scalar] {
        Array(String(decoding: name, as: UTF8.self).unicodeScalars)
    }

    private func explain(_ error: SystemError, of path: String, isFolder: Bool) {
        switch error.number {
        case EACCES, EPERM:
            let what = isFolder ? "what is in it" : "it"
            tally.leaveOut(path, .unreadable, "the run's own user may not read \(what)")
        case ELOOP: tally.leaveOut(path, .symbolicLink, "it is a symbolic link, and none is followed")
        case ENXIO, ENODEV: tally.leaveOut(path, .notAFile, "it is a FIFO, a socket or a device")
        case EPIPE, ECONNRESET, ETIMEDOUT, EBADMSG:
            interrupt(.sandboxGone, "the sandbox has ended before all of it was collected")
        default: tally.leaveOut(path, .unreadable, "it cannot be read: \(error)")
        }
    }

    private func explain(_ error: BlobError, of path: String) {
        switch error {
        case .overQuota(let bytes):
            tally.leaveOut(
                path,
                .notStored,
                "blobs may take \(bytes) bytes together (--blob-bytes), and there is no room"
            )
        case .notStored(let error): tally.leaveOut(path, .notStored, "it cannot be stored: \(error)")
        case .cutOff, .wrongDigest, .tooManyUploads: tally.leaveOut(path, .unreadable, "it cannot be read as a whole")
        }
    }
}
