internal import Digests
internal import Glibc

/// The files of blobs: `ab/abcd…` what is whole, `incoming/` what is on its way in or out.
struct BlobFolder: Sendable {
    /// By its descriptor, as ``DataDirectory/outputPath`` is.
    let path: String

    func path(of digest: SHA256Digest) -> String {
        let name = digest.hexadecimal
        return "\(path)/\(name.prefix(2))/\(name)"
    }

    func incomingPath(_ number: Int) -> String { "\(path)/incoming/\(number)" }

    /// Removes what a service before this one had not finished.
    func clearIncoming() {
        let incoming = path + "/incoming"
        // Where this fails every upload will, and say so.
        mkdir(incoming, 0o700)
        for name in DataDirectory.names(in: incoming) where name != "." && name != ".." {
            unlink(incoming + "/" + name)
        }
    }

    /// Goes through the files that are there.
    ///
    /// - Returns: those that are named as blobs are, with their sizes, `nil` for what is no file; what has another name is removed.
    func survey() -> [SHA256Digest: Int?] {
        var found: [SHA256Digest: Int?] = [:]
        for folder in DataDirectory.names(in: path) where folder.utf8.count == 2 && folder != ".." {
            for name in DataDirectory.names(in: "\(path)/\(folder)") where name != "." && name != ".." {
                if let digest = SHA256Digest(hexadecimal: name), digest.hexadecimal == name, name.hasPrefix(folder) {
                    found.updateValue(size(of: digest), forKey: digest)
                } else {
                    unlink("\(path)/\(folder)/\(name)")
                }
            }
        }
        return found
    }

    /// How many bytes a blob's file has, if it is there and is one.
    func size(of digest: SHA256Digest) -> Int? {
        var status = stat()
        guard lstat(path(of: digest), &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return Int(status.st_size)
    }

    func remove(_ digest: SHA256Digest) { unlink(path(of: digest)) }

    /// Puts a file that is whole into its place, over one that is there.
    func place(_ number: Int, as digest: SHA256Digest) throws(StoreError) {
        let target = path(of: digest)
        let folder = String(target.prefix(path.count + 3))
        if mkdir(folder, 0o700) < 0, errno != EEXIST { throw DataDirectory.error("mkdir", folder) }
        guard rename(incomingPath(number), target) == 0 else { throw DataDirectory.error("rename", target) }
    }

    /// Takes a file out of its place; it is there for those who have it open, until it is unlinked.
    func takeOut(_ digest: SHA256Digest, to number: Int) { rename(path(of: digest), incomingPath(number)) }

    func removeIncoming(_ number: Int) { unlink(incomingPath(number)) }

    /// Has the disk write what stands in a blob's folder, and that the folder is there.
    func synchronize(_ digest: SHA256Digest) throws(StoreError) {
        for folder in ["\(path)/\(digest.hexadecimal.prefix(2))", path + "/."] {
            let opened = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard opened >= 0 else { throw DataDirectory.error("open", folder) }
            defer { close(opened) }
            guard fsync(opened) == 0 else { throw DataDirectory.error("fsync", folder) }
        }
    }
}
