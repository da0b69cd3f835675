internal import CLinux
internal import Glibc
internal import Identity
internal import Settings

/// The token file of a server, with notifications of its changes.
///
/// The server reads the file as root at its start, and as an unprivileged user later. To be reloaded without a restart,
/// the file must be readable for all users. That is safe, because it contains digests instead of tokens.
final class TokenSource: Sendable {
    /// The maximum size of the file in bytes, a thousand times that of a service with many users.
    private static let maximumBytes = 16 << 20

    let path: String
    /// A descriptor that becomes readable when the file's directory changes (inotify(7)); `nil` if that cannot be
    /// watched.
    let changes: Int32?

    /// - Parameter path: The path of the file. `nil` makes the initializer fail.
    init?(path: String?) {
        guard let path else { return nil }
        self.path = path
        let directory = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let descriptor = inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK))
        // Watch the directory instead of the file: editors and `sandglass token` replace the file by a new one.
        // Kubernetes replaces the target of a link beside it, so the name in the event is of no use.
        let events = UInt32(IN_CLOSE_WRITE | IN_MOVED_TO)
        if descriptor >= 0, inotify_add_watch(descriptor, directory, events) >= 0 {
            changes = descriptor
        } else {
            if descriptor >= 0 { close(descriptor) }
            changes = nil
        }
    }

    /// Discards the pending events, whose details do not matter.
    func consumeChanges() {
        guard let changes else { return }
        var buffer = [UInt8](repeating: 0, count: 4096)
        while Glibc.read(changes, &buffer, buffer.count) > 0 {}
    }

    /// Reads the file.
    func read() throws(SettingError) -> TokenFile { try Self.read(path) }

    /// Reads a token file.
    static func read(_ path: String) throws(SettingError) -> TokenFile {
        do throws(SettingError) {
            return try parse(try ConfigurationFile.contents(of: path, atMost: maximumBytes))
        } catch {
            throw SettingError("the token file \(path) cannot be used: \(error)")
        }
    }

    /// Parses the content of a token file.
    static func parse(_ text: [UInt8]) throws(SettingError) -> TokenFile {
        do throws(TokenFileError) {
            return try TokenFile(text)
        } catch {
            throw SettingError(error.description)
        }
    }
}
