internal import Glibc
internal import System

/// A symbolic link that works on the host and leads nowhere in a run, because its target is not shown.
package struct HiddenTarget: Sendable, Hashable {
    /// The path of the link, in a directory that commands see.
    package let link: String
    /// The absolute path of its target on the host.
    package let target: String
}

/// The search for links whose targets a run does not show.
package enum HiddenTargets {
    /// The maximum number of entries to look at: some hosts have a million files below `/usr`.
    private static let maximumEntries = 500_000
    /// The directories that each run has for itself.
    private static let ownDirectories = [
        "/proc", "/dev", "/sys", "/run", "/tmp", "/var/run", "/var/tmp", "/var/lock",
    ]

    /// Finds the links below `/usr` whose targets exist on the host but not in the built-in view.
    ///
    /// - Returns: the links, sorted by path.
    package static func ofThisHost() -> [HiddenTarget] {
        find(below: "/usr", shown: HostView.entries(user: SandboxPolicy.user, hostName: SandboxPolicy.hostName))
    }

    /// Finds links below a directory.
    ///
    /// Links to secrets are left out, because they are hidden on purpose.
    ///
    /// - Parameters:
    ///   - root: the directory, whose own contents are shown.
    ///   - entries: the entries that a run sees.
    ///   - own: the directories that each run has for itself.
    /// - Returns: the links, sorted by path.
    static func find(
        below root: String,
        shown entries: [SandboxEntry],
        own: [String] = ownDirectories
    ) -> [HiddenTarget] {
        var whole: [String] = [root]
        var paths: Set<String> = []
        for entry in entries {
            paths.insert(entry.path)
            if case .bind(_, let path) = entry { whole.append(path) }
        }
        // The system directories besides /usr are links to it on most hosts.
        let links = entries.compactMap { entry in if case .symbolicLink(let path, _) = entry { path } else { nil } }
        let prefixes = (whole + links + own).map { $0 + "/" }
        var found: [HiddenTarget] = []
        var remaining = maximumEntries
        var directories = [root]
        while let directory = directories.popLast(), remaining > 0 {
            try? DirectoryEntry.forEach(at: directory) { entry in
                remaining -= 1
                let path = directory + "/" + entry.text
                switch entry.kind {
                case .directory: directories.append(path)
                case .symbolicLink:
                    guard case .symbolicLink(let text)? = HostFile.kind(of: path) else { return }
                    let target = absolute(text, in: directory)
                    guard !paths.contains(target), !prefixes.contains(where: target.hasPrefix), access(path, F_OK) == 0,
                        HostSecrets.reason(toHide: target) == nil
                    else { return }
                    found.append(HiddenTarget(link: path, target: target))
                case .file, .other, .unknown: break
                }
            }
        }
        return found.sorted { $0.link < $1.link }
    }

    /// Returns the target of a link as an absolute path, by its text alone.
    private static func absolute(_ target: String, in directory: String) -> String {
        var parts: [Substring] = []
        let text = target.hasPrefix("/") ? target : directory + "/" + target
        for part in text.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }
}
