internal import Glibc
internal import RunModel
internal import System

/// The directory of blob files: `ab/abcd…` for complete blobs, `incoming/` for files that are being written or removed.
struct BlobDirectory: Sendable {
    /// The path through a descriptor, like ``DataDirectory/outputPath``.
    let path: String

    func path(of digest: SHA256Digest) -> String {
        let name = digest.hexadecimal
        return "\(path)/\(name.prefix(2))/\(name)"
    }

    fileprivate func incomingPath(_ number: Int) -> String { "\(path)/incoming/\(number)" }

    /// Removes the unfinished files of an earlier process.
    func clearIncoming() {
        let incoming = path + "/incoming"
        // If this fails, every upload fails with the error.
        mkdir(incoming, 0o700)
        for name in DirectoryEntry.names(at: incoming) {
            unlink(incoming + "/" + name)
        }
    }

    /// Lists the blob files, and removes files with any other name.
    ///
    /// - Returns: the size of each file that has the name of a blob; `nil` if it is not a regular file.
    func scan() -> [SHA256Digest: Int?] {
        var found: [SHA256Digest: Int?] = [:]
        for directory in DirectoryEntry.names(at: path) where directory.utf8.count == 2 {
            for name in DirectoryEntry.names(at: "\(path)/\(directory)") {
                if let digest = SHA256Digest(hexadecimal: name), digest.hexadecimal == name, name.hasPrefix(directory) {
                    found.updateValue(size(of: digest), forKey: digest)
                } else {
                    unlink("\(path)/\(directory)/\(name)")
                }
            }
        }
        return found
    }

    /// Returns the size of a blob's file, or `nil` if there is no such regular file.
    func size(of digest: SHA256Digest) -> Int? {
        var status = stat()
        guard lstat(path(of: digest), &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return Int(status.st_size)
    }

    func remove(_ digest: SHA256Digest) { unlink(path(of: digest)) }

    /// Moves a complete file from `incoming` to the path of its blob, and replaces an existing file.
    func install(_ number: Int, as digest: SHA256Digest) throws(StoreError) {
        let target = path(of: digest)
        let directory = String(target.prefix(path.count + 3))
        if mkdir(directory, 0o700) < 0, errno != EEXIST { throw StoreError.system("mkdir", directory) }
        guard rename(incomingPath(number), target) == 0 else { throw StoreError.system("rename", target) }
    }

    /// Moves a blob's file to `incoming`, where it stays until it is unlinked.
    func uninstall(_ digest: SHA256Digest, to number: Int) { rename(path(of: digest), incomingPath(number)) }

    func removeIncoming(_ number: Int) { unlink(incomingPath(number)) }

    /// Flushes the directory of a blob, and the directory above it, to the disk.
    func synchronize(_ digest: SHA256Digest) throws(StoreError) {
        for directory in ["\(path)/\(digest.hexadecimal.prefix(2))", path + "/."] {
            let opened = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard opened >= 0 else { throw StoreError.system("open", directory) }
            defer { close(opened) }
            guard fsync(opened) == 0 else { throw StoreError.system("fsync", directory) }
        }
    }
}

/// The file of a blob that is being written.
final class IncomingBlob: @unchecked Sendable {
    // SAFETY: one job at a time uses the variables. The upload creates one job after the other, each under its lock.
    private var descriptor: Int32
    private var hasher = SHA256Hasher()

    /// The name of the file in `incoming`.
    let number: Int
    /// The principal that uploads the blob, or whose run left the file.
    let owner: String
    /// The run that will hold the blob, or `nil` for an upload.
    let holder: RunID?
    private let path: String

    init(_ directory: BlobDirectory, number: Int, owner: String, holder: RunID? = nil) throws(StoreError) {
        path = directory.incomingPath(number)
        descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw StoreError.system("open", path) }
        (self.number, self.owner, self.holder) = (number, owner, holder)
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    func append(_ bytes: UnsafeRawBufferPointer) throws(StoreError) {
        hasher.update(bytes)
        do throws(SystemError) {
            try FileIO.writeAll(bytes, to: descriptor)
        } catch {
            throw StoreError.system("write", path)
        }
    }

    /// Returns the digest of all bytes that were appended; to be called once.
    func finish() -> SHA256Digest { hasher.finish() }

    /// Flushes the file to the disk.
    func synchronize() throws(StoreError) {
        guard fsync(descriptor) == 0 else { throw StoreError.system("fsync", path) }
    }

    func closeFile() {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
    }
}
