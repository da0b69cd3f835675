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

    /// Leaves the blobs that are remembered, and whose files are whole, and no others.
    ///
    /// - Parameter entries: those that are remembered.
    /// - Returns: those of them that are not there.
    func compare(with entries: [SHA256Digest: BlobEntry]) -> [SHA256Digest] {
        var found: Set<SHA256Digest> = []
        for folder in DataDirectory.names(in: path) where folder.utf8.count == 2 && folder != ".." {
            for name in DataDirectory.names(in: "\(path)/\(folder)") where name != "." && name != ".." {
                let file = "\(path)/\(folder)/\(name)"
                var status = stat()
                if let digest = SHA256Digest(hexadecimal: name), let entry = entries[digest],
                    lstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG, Int(status.st_size) == entry.bytes
                {
                    found.insert(digest)
                } else {
                    unlink(file)
                }
            }
        }
        return entries.keys.filter { !found.contains($0) }
    }

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
