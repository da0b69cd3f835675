internal import Glibc

/// A named root file system that commands may see instead of the host's programs, read-only.
public struct SandboxImage: Sendable, Hashable {
    /// The name of the built-in view.
    public static let hostName = "host"
    /// As many as the launcher keeps.
    private static let most = 64

    /// What runs call it: `a-z`, `0-9`, and behind the first of them `.`, `_` and `-` too.
    public let name: String
    /// Its folder, without symbolic links.
    let hostPath: String

    /// What is made for each run, or not there at all.
    private static let own: Set = [".", "..", "box", "dev", "proc", "sys", "tmp"]
    /// Where the host's file system stands while the image's root is being built.
    private static let scaffold = ".host"

    /// Images as they are configured, each found on the host.
    ///
    /// - Parameter texts: a name, `=` and an absolute path, each.
    /// - Returns: the images.
    /// - Throws: why one of them cannot be had.
    public static func all(_ texts: [String]) throws(ViewError) -> [SandboxImage] {
        var images: [SandboxImage] = []
        for text in texts {
            let image = try SandboxImage(text)
            guard !images.contains(where: { $0.name == image.name }) else {
                throw ViewError(path: text, reason: "there is another image of that name: give each its own")
            }
            images.append(image)
        }
        guard images.count <= most else {
            throw ViewError(path: texts[most], reason: "there may be at most \(most) images")
        }
        return images
    }

    private init(_ text: String) throws(ViewError) {
        guard let sign = text.firstIndex(of: "=") else {
            throw ViewError(path: text, reason: "it must be NAME=PATH, such as python=/srv/python")
        }
        let name = String(text[..<sign])
        guard Self.isName(name) else {
            throw ViewError(path: text, reason: "a name is of a-z, 0-9 and, behind the first, of . _ - too")
        }
        guard name != Self.hostName else {
            throw ViewError(path: text, reason: "\(name) is the name of the built-in view: choose another")
        }
        let path = String(text[text.index(after: sign)...])
        _ = try HostPath.components(of: path)
        self.name = name
        hostPath = try HostPath.folder(path)
        try refuseWhatNobodyShouldRunIn(path)
    }

    private func refuseWhatNobodyShouldRunIn(_ path: String) throws(ViewError) {
        var status = stat()
        guard lstat(hostPath, &status) == 0, status.st_mode & 0o022 == 0 else {
            throw ViewError(
                path: path,
                reason: "others than its owner may write to it, and so choose what commands run: chmod go-w \(hostPath)"
            )
        }
        let top = Set(HostFile.names(in: hostPath))
        guard !top.subtracting(Self.own).isEmpty else {
            throw ViewError(
                path: path,
                reason: "nothing is in it that this user may see: it must hold a root file system, with /bin and so on"
            )
        }
        guard !top.contains(Self.scaffold) else {
            throw ViewError(path: path, reason: "\(Self.scaffold) in it has a name that is needed here: rename it")
        }
    }

    private static func isName(_ text: String) -> Bool {
        func isPlain(_ byte: UInt8) -> Bool {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
        guard let first = text.utf8.first, isPlain(first) else { return false }
        return text.utf8.allSatisfy { isPlain($0) || "._-".utf8.contains($0) }
    }

    /// Its folders and files, each shown by itself, so that those that every run has of its own need not be in it.
    var entries: [SandboxEntry] {
        HostFile.names(in: hostPath).filter { !Self.own.contains($0) }.compactMap { name -> SandboxEntry? in
            let (source, path) = (hostPath + "/" + name, "/" + name)
            return switch HostFile.kind(of: source) {
            case .directory: .bind(host: source, at: path)
            case .file: .bindFile(host: source, at: path)
            case .symbolicLink(let target): .symbolicLink(path, to: target)
            case .other, nil: nil
            }
        } + HostView.deviceEntries() + ["/proc", "/tmp", "/box"].map { .directory($0) }
    }
}
