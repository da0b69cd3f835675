internal import Glibc
internal import Identity
internal import Reactor
internal import Settings

/// The file of principals, for whoever changes it.
struct TokenFileStore {
    // A server that has given up being root has to read it again. There is no token in it, and what there is of one cannot be
    // turned back.
    private static let mode: mode_t = 0o644

    let path: String

    /// The principals; none if there is no file yet.
    func read() throws(SettingError) -> TokenFile {
        if access(path, F_OK) != 0, errno == ENOENT { return TokenFile() }
        return try TokenSource.read(path)
    }

    /// Puts a new file in the place of the old one: a server never sees half of it.
    func write(_ file: TokenFile) throws(SettingError) {
        // What a link leads to is replaced, not the link.
        var target = path
        if let text = realpath(path, nil) {
            target = String(cString: text)
            free(text)
        }
        let new = "\(target).\(getpid()).new"
        let descriptor = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, Self.mode)
        guard descriptor >= 0 else { throw failure("open", new) }
        var isWritten = false
        defer {
            close(descriptor)
            if !isWritten { unlink(new) }
        }
        var rest = file.text[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { throw failure("write", new) }
            rest = rest.dropFirst(count)
        }
        // Against the mask of the one who calls; and the disk has it before the old one is gone.
        guard fchmod(descriptor, Self.mode) == 0, fsync(descriptor) == 0, rename(new, target) == 0 else {
            throw failure("rename", target)
        }
        isWritten = true
    }

    private func failure(_ operation: String, _ path: String) -> SettingError {
        SettingError("\(operation) \(path): \(SystemError.meaning(of: errno))")
    }
}
