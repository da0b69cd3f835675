internal import Glibc
internal import System

/// A named root file system that commands may see instead of the host's programs, read-only.
package struct SandboxImage: Sendable, Hashable {
    /// The name of the built-in view.
    package static let hostName = "host"
    /// The maximum number of images that the launcher supports.
    private static let maximumCount = 64

    /// The name that runs select the image by: `a-z` and `0-9`, and after the first character also `.`, `_` and `-`.
    package let name: String
    /// The path of the image's directory, without symbolic links.
    let hostPath: String

    /// Top-level names that each run creates or never has.
    private static let reservedNames: Set = ["box", "dev", "proc", "sys", "tmp"]
    /// The name of the host's file system while the image's root is being built.
    private static let hostMountName = ".host"

    /// Finds the configured images on the host.
    ///
    /// - Parameter texts: one `NAME=PATH` each, with an absolute path.
    /// - Returns: the images.
    /// - Throws: the first image that cannot be shown, with the reason.
    package static func all(_ texts: [String]) throws(ViewError) -> [SandboxImage] {
        var images: [SandboxImage] = []
        for text in texts {
            let image = try SandboxImage(text)
            guard !images.contains(where: { $0.name == image.name }) else {
                throw ViewError(path: text, reason: "there is another image of that name; give each image its own name")
            }
            images.append(image)
        }
        guard images.count <= maximumCount else {
            throw ViewError(
                path: texts[maximumCount],
                reason: "there may be at most \(maximumCount, counting: "image")"
            )
        }
        return images
    }

    private init(_ text: String) throws(ViewError) {
        guard let sign = text.firstIndex(of: "=") else {
            throw ViewError(path: text, reason: "it must be NAME=PATH, such as python=/srv/python")
        }
        let name = String(text[..<sign])
        guard Self.isValidName(name) else {
            throw ViewError(
                path: text,
                reason: "the name must consist of a-z and 0-9, and after the first character also of . _ -"
            )
        }
        guard name != Self.hostName else {
            throw ViewError(path: text, reason: "\(name) is the name of the built-in view; choose another name")
        }
        let path = String(text[text.index(after: sign)...])
        _ = try HostPath.components(of: path)
        self.name = name
        hostPath = try HostPath.directory(path)
        try checkDirectory(path)
    }

    private func checkDirectory(_ path: String) throws(ViewError) {
        var status = stat()
        guard lstat(hostPath, &status) == 0, status.st_mode & 0o022 == 0 else {
            throw ViewError(
                path: path,
                reason: "users other than its owner may write to it and so choose what commands run; "
                    + "run chmod go-w \(hostPath)"
            )
        }
        let names = Set(HostFile.names(in: hostPath))
        guard !names.subtracting(Self.reservedNames).isEmpty else {
            throw ViewError(
                path: path,
                reason: "this user sees nothing in it to show; it must hold a root file system, with /bin and so on"
            )
        }
        guard !names.contains(Self.hostMountName) else {
            throw ViewError(
                path: path,
                reason: "it contains the reserved name \(Self.hostMountName); rename that entry"
            )
        }
    }

    private static func isValidName(_ text: String) -> Bool {
        func isLetterOrDigit(_ byte: UInt8) -> Bool {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
        guard let first = text.utf8.first, isLetterOrDigit(first) else { return false }
        return text.utf8.allSatisfy { isLetterOrDigit($0) || "._-".utf8.contains($0) }
    }

    /// The entries of the image's file system.
    ///
    /// Each top-level directory and file is shown by itself, so the image need not contain the directories that each
    /// run creates.
    var entries: [SandboxEntry] {
        HostFile.names(in: hostPath).filter { !Self.reservedNames.contains($0) }.compactMap { name -> SandboxEntry? in
            let (source, path) = (hostPath + "/" + name, "/" + name)
            return switch HostFile.kind(of: source) {
            case .directory: .bind(host: source, at: path)
            case .file: .bindFile(host: source, at: path)
            case .symbolicLink(let target): .symbolicLink(path, to: target)
            case .other, nil: nil
            }
        } + HostView.deviceEntries() + HostView.kernelEntries() + ["/proc", "/tmp", "/box"].map { .directory($0) }
    }
}
