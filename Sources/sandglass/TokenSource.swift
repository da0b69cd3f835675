internal import CLinux
internal import Glibc
internal import Identity
internal import Settings

/// The file of tokens, and word of its changes.
///
/// It is read before the server gives up being root, and again after: whoever wants it to be read again without a restart
/// lets everybody read it, which costs nothing, as it has no token in it.
final class TokenSource: Sendable {
    /// A thousand times what a service with many users has.
    private static let mostBytes = 16 << 20

    let path: String
    /// Readable when something in the file's folder has changed (inotify(7)); `nil` if that cannot be known.
    let changes: Int32?

    /// - Parameter path: where it is; `nil` makes `nil`.
    init?(path: String?) {
        guard let path else { return nil }
        self.path = path
        let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let descriptor = inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK))
        // The folder and not the file: an editor, and `sandglass token`, put a new file in the place of the old one.
        // Kubernetes puts a new folder behind a link beside it, so the name of what has changed says nothing.
        let events = UInt32(IN_CLOSE_WRITE | IN_MOVED_TO)
        if descriptor >= 0, inotify_add_watch(descriptor, folder, events) >= 0 {
            changes = descriptor
        } else {
            if descriptor >= 0 { close(descriptor) }
            changes = nil
        }
    }

    /// Takes the word of what has changed, which is always the same: something.
    func noteChanges() {
        guard let changes else { return }
        var buffer = [UInt8](repeating: 0, count: 4096)
        while Glibc.read(changes, &buffer, buffer.count) > 0 {}
    }

    /// Reads the file.
    func read() throws(SettingError) -> TokenFile { try Self.read(path) }

    /// Reads a file of tokens.
    static func read(_ path: String) throws(SettingError) -> TokenFile {
        do throws(SettingError) {
            return try parse(try OperatorFile.contents(of: path, atMost: mostBytes))
        } catch {
            throw SettingError("the tokens in \(path) cannot be used: \(error)")
        }
    }

    /// Reads what stands in a file of tokens.
    static func parse(_ text: [UInt8]) throws(SettingError) -> TokenFile {
        do throws(TokenFileError) {
            return try TokenFile(text)
        } catch {
            throw SettingError(error.description)
        }
    }
}
