/// One entry of the file system that commands see.
///
/// Its parent folder stands earlier in the list.
public enum SandboxEntry: Sendable, Hashable {
    /// An empty folder, writable by nobody unless something is mounted on it.
    case directory(String)
    /// A folder of the host with all below it, read-only.
    case bind(host: String, at: String)
    /// A file of the host, read-only.
    case bindFile(host: String, at: String)
    /// A folder for device nodes.
    case deviceFolder(String)
    /// A device node of the host, in a folder for such.
    case device(String)
    /// A file with these contents, which everybody may read, and execute perhaps.
    case file(String, contents: [UInt8], isExecutable: Bool = false)
    /// A symbolic link and where it points.
    case symbolicLink(String, to: String)

    /// Where it stands inside the sandbox.
    public var path: String {
        switch self {
        case .directory(let path), .deviceFolder(let path), .device(let path), .file(let path, _, _),
            .symbolicLink(let path, _):
            path
        case .bind(_, let path), .bindFile(_, let path): path
        }
    }
}
