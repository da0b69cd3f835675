internal import Glibc

/// Whether a file system has room for more.
enum DiskRoom {
    /// What a run or two may leave behind at the usual limits.
    static let leastBytes: UInt64 = 4 << 20

    /// Looks at what is free for this user (statvfs(3)).
    ///
    /// A file system that does not know its own size is taken at its word.
    static func check(_ path: String) throws(StoreError) {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else {
            let number = errno
            throw StoreError(
                operation: "statvfs",
                path: path,
                number: number,
                detail: String(cString: strerror(number))
            )
        }
        let free = UInt64(status.f_bavail) * UInt64(status.f_frsize)
        guard status.f_blocks > 0, free < leastBytes else { return }
        throw StoreError(
            operation: "statvfs",
            path: path,
            number: ENOSPC,
            detail: "\(free) bytes are free; runs need \(leastBytes)"
        )
    }
}
