import Foundation
import Glibc

/// The attempts to get out of the sandbox, in C.
enum ProbeProgram {
    /// Where it is built, once, with the C compiler that a Swift toolchain needs or brings.
    ///
    /// Not by the package: Swift's own libraries would be linked to it, and a command does not see those.
    static let path = Result {
        let program = "/tmp/sandglass-e2e-probes-\(getpid())"
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../ContainmentProbes")
        atexit { unlink("/tmp/sandglass-e2e-probes-\(getpid())") }
        let script = "$(command -v cc || command -v clang) -std=gnu17 -O1 -Wall -Wextra -Werror -o \"$1\" \"$2\"/*.c"
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        let build = ["sh", "-c", script, "sh", program, folder.path()]
        let built = try ChildProcess(build, environment: ["PATH": path]).finish()
        guard built.end == .exited(0) else { throw NotBuilt(why: built.diagnostics) }
        return program
    }

    struct NotBuilt: Error {
        let why: String
    }
}
