import Foundation
import Glibc

/// This machine, as tests see it.
enum Host {
    static let isRoot = geteuid() == 0

    /// Whether this user may make control groups of version 1, which is what the tests here look for; a host with version 2
    /// alone has a test of its own (`make test-cgroup2`).
    static let hasControlGroups = isRoot && access("/sys/fs/cgroup/memory/cgroup.procs", W_OK) == 0

    /// The real program: it stands beside the bundle of the tests.
    static let program: String = {
        let bundle = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        return bundle.deletingLastPathComponent().appending(path: "sandglass").path()
    }()

    /// The program where every user can reach it.
    static let sharedProgram: String = {
        let copy = "/tmp/sandglass-e2e-\(getpid())"
        try? FileManager.default.removeItem(atPath: copy)
        try? FileManager.default.copyItem(atPath: program, toPath: copy)
        chmod(copy, 0o755)
        atexit { unlink("/tmp/sandglass-e2e-\(getpid())") }
        return copy
    }()

    /// What to put before a command to run it as an ordinary user: nothing if the tests are that already.
    static let asOrdinaryUser: [String] =
        isRoot ? ["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups"] : []
}

/// A folder that is removed when it is let go.
final class TemporaryFolder {
    let path: String

    init() throws {
        path = "/tmp/sandglass-e2e-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        // Servers of other users write to it too.
        chmod(path, 0o1777)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] }

    /// Writes a file.
    func write(_ name: String, _ text: String, mode: mode_t) throws {
        try Data(text.utf8).write(to: URL(filePath: path + "/" + name))
        chmod(path + "/" + name, mode)
    }
}
