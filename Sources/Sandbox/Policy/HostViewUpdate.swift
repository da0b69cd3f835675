internal import CLinux
internal import Glibc
package import System

/// An update of the package files that commands see, to what is on the host now.
///
/// The view has copies of them (``PackageFiles``), in a file system that commands see read-only. This process may write to
/// it through a descriptor of its root. Runs in progress see the changes too, as they see those of `/usr`.
package final class HostViewUpdate: Sendable {
    /// The differences that an update has found.
    package struct Difference: Sendable, Hashable {
        /// The number of files, directories and links that were added or changed.
        package fileprivate(set) var changed = 0
        /// The number of files, directories and links that were removed.
        package fileprivate(set) var removed = 0
        /// The paths that cannot be shown without a restart, because they are too large to be copied.
        package fileprivate(set) var needRestart: [String] = []
    }

    /// The directories in which the view has copies.
    private static let directories = ["/etc", "/var/lib"]

    private let root: Descriptor
    private let mounts: Set<String>
    private let configuration: SandboxConfiguration
    /// Held during an update.
    private let updating = Lock(())

    /// Returns the paths that the launcher has mounted, which the kernel keeps up to date.
    static func mounts(_ entries: [SandboxEntry]) -> Set<String> { Set(entries.filter(\.isMount).map(\.path)) }

    init(root: consuming Descriptor, mounts: Set<String>, configuration: SandboxConfiguration) {
        self.root = root
        self.mounts = mounts
        self.configuration = configuration
    }

    /// Makes the view equal to the host's files.
    ///
    /// This takes some ten milliseconds.
    ///
    /// - Returns: the differences.
    /// - Throws: the first error. The update is then incomplete, and can be repeated.
    package func run() throws(SystemError) -> Difference {
        var current = configuration
        current.exposed = configuration.exposed.map(\.current)
        let view = HostView.entries(
            user: SandboxPolicy.user,
            hostName: SandboxPolicy.hostName,
            configuration: current
        )
        return try updating.withLock { _ in Result { () throws(SystemError) in try apply(view) } }.get()
    }

    /// Makes the view equal to the given entries.
    func apply(_ view: [SandboxEntry]) throws(SystemError) -> Difference {
        let wanted = view.filter { entry in Self.directories.contains { Self.contains($0, entry.path) } }
        var result = Difference()
        result.needRestart = wanted.filter { $0.isMount && !mounts.contains($0.path) }.map(\.path)
        // Such a path keeps what it has.
        let kept = mounts.union(result.needRestart)
        let entries = Dictionary(wanted.map { ($0.path, $0) }) { _, last in last }
        for directory in Self.directories { try removeOthers(directory, entries, kept, &result) }
        for entry in wanted where !Self.isInside(entry.path, kept) {
            if try update(entry) { result.changed += 1 }
        }
        return result
    }

    private static func contains(_ directory: String, _ path: String) -> Bool {
        path == directory || path.hasPrefix(directory + "/")
    }

    /// Returns whether a path is one of some paths or lies inside one.
    private static func isInside(_ path: String, _ paths: Set<String>) -> Bool {
        paths.contains { contains($0, path) }
    }

    // MARK: Removal

    /// Removes the files in a directory that are not wanted, or not of that kind.
    private func removeOthers(
        _ directory: String,
        _ wanted: [String: SandboxEntry],
        _ kept: Set<String>,
        _ result: inout Difference
    ) throws(SystemError) {
        for child in try children(of: directory) {
            let path = directory + "/" + child.text
            guard !Self.isInside(path, kept) else { continue }
            switch (child.kind, wanted[path]) {
            case (.directory, .directory): try removeOthers(path, wanted, kept, &result)
            case (.file, .file), (.symbolicLink, .symbolicLink): break
            // A mount point inside must stay.
            case (.directory, _) where kept.contains(where: { Self.contains(path, $0) }): break
            default: try remove(path, child.kind, &result)
            }
        }
    }

    private func remove(_ path: String, _ kind: DirectoryEntry.Kind, _ result: inout Difference) throws(SystemError) {
        if kind == .directory {
            for child in try children(of: path) { try remove(path + "/" + child.text, child.kind, &result) }
        }
        let (directory, name) = Self.split(path)
        let parent = try open(directory)
        guard unlinkat(parent.raw, name, kind == .directory ? AT_REMOVEDIR : 0) == 0 else {
            throw SystemError("remove \(path)")
        }
        result.removed += 1
    }

    private func children(of directory: String) throws(SystemError) -> [DirectoryEntry] {
        let opened = try open(directory)
        var found: [DirectoryEntry] = []
        try DirectoryEntry.forEach(in: opened) { found.append($0) }
        return found
    }

    // MARK: Update

    /// Writes an entry unless it is there already, and returns whether it was written.
    private func update(_ entry: SandboxEntry) throws(SystemError) -> Bool {
        let (directory, name) = Self.split(entry.path)
        let parent = try open(directory)
        switch entry {
        case .directory:
            if mkdirat(parent.raw, name, 0o755) == 0 { return true }
            guard errno == EEXIST else { throw SystemError("make \(entry.path)") }
            return false
        case .file(_, let contents, let isExecutable):
            let mode: mode_t = isExecutable ? 0o755 : 0o644
            guard !hasFile(name, in: parent.raw, contents, mode) else { return false }
            try replace(entry.path, name, in: parent.raw) { (temporary) throws(SystemError) in
                let file = openat(parent.raw, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)
                guard file >= 0 else { throw SystemError("write \(entry.path)") }
                defer { close(file) }
                try FileIO.writeAll(contents, to: file)
                // The file mode creation mask may have removed bits.
                guard fchmod(file, mode) == 0 else { throw SystemError("write \(entry.path)") }
            }
            return true
        case .symbolicLink(_, let target):
            guard linkTarget(name, in: parent.raw) != target else { return false }
            try replace(entry.path, name, in: parent.raw) { (temporary) throws(SystemError) in
                guard symlinkat(target, parent.raw, temporary) == 0 else { throw SystemError("link \(entry.path)") }
            }
            return true
        case .bind, .bindFile, .deviceDirectory, .device: return false
        }
    }

    /// Makes a file under another name and renames it, so that no command sees a part of it.
    private func replace(
        _ path: String,
        _ name: String,
        in parent: Int32,
        _ make: (_ temporary: String) throws(SystemError) -> Void
    ) throws(SystemError) {
        let temporary = ".sandglass-update"
        unlinkat(parent, temporary, 0)
        do throws(SystemError) {
            try make(temporary)
            guard renameat(parent, temporary, parent, name) == 0 else { throw SystemError("rename \(path)") }
        } catch {
            unlinkat(parent, temporary, 0)
            throw error
        }
    }

    private func hasFile(_ name: String, in parent: Int32, _ contents: [UInt8], _ mode: mode_t) -> Bool {
        let file = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
        guard file >= 0 else { return false }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_size == contents.count, status.st_mode & 0o777 == mode else {
            return false
        }
        return (try? FileIO.readAll(file, atMost: contents.count)) == contents
    }

    private func linkTarget(_ name: String, in parent: Int32) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { text in
            guard let start = text.baseAddress else { return nil }
            let length = readlinkat(parent, name, start, text.count)
            guard length >= 0 else { return nil }
            return String(decoding: UnsafeRawBufferPointer(start: start, count: length), as: UTF8.self)
        }
    }

    // MARK: Paths

    /// Opens a directory of the view.
    ///
    /// Links are refused, because they could lead to a directory of the host.
    private func open(_ path: String) throws(SystemError) -> Descriptor {
        let relative = path.isEmpty ? "." : String(path.dropFirst())
        let directory = sandglass_open_beneath(root.raw, relative, O_RDONLY | O_DIRECTORY)
        guard directory >= 0 else { throw SystemError("open \(path)") }
        return Descriptor(owning: directory)
    }

    /// Returns the directory of a path and its last component.
    private static func split(_ path: String) -> (directory: String, name: String) {
        let slash = path.lastIndex(of: "/") ?? path.startIndex
        return (String(path[..<slash]), String(path[slash...].dropFirst()))
    }
}
