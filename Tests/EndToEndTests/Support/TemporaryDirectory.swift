import Foundation
import Glibc
import Testing

/// A directory that is removed when the object is deallocated.
final class TemporaryDirectory {
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

    /// Creates a self-signed certificate for `localhost` and 127.0.0.1, and returns the paths of its files.
    func makeCertificate() throws -> (certificate: String, key: String) {
        let (certificate, key) = (path + "/certificate.pem", path + "/key.pem")
        let generated = try ChildProcess([
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
            "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key,
            "-out", certificate,
        ]).finish()
        try #require(generated.end == .exited(0), "\(generated.diagnostics)")
        return (certificate, key)
    }
}

/// A data directory for several servers, one after the other.
final class TemporaryDataDirectory {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    var path: String { directory.path + "/data" }

    var database: String { path + "/sandglass.sqlite" }

    /// The names of the files that store output.
    var outputs: [String] { (try? FileManager.default.contentsOfDirectory(atPath: path + "/output")) ?? [] }

    /// Returns every file with its content.
    func contents() throws -> [String: Data] {
        let names = try FileManager.default.subpathsOfDirectory(atPath: path)
        return Dictionary(
            uniqueKeysWithValues: names.compactMap { name in
                FileManager.default.contents(atPath: path + "/" + name).map { (name, $0) }
            }
        )
    }

    /// Starts a server on this directory.
    func server(_ flags: String..., environment: [String: String] = [:]) throws -> ServerProcess {
        try ServerProcess(["--data-directory", path] + flags, environment: environment)
    }
}

/// A token file that the real command writes, in a directory that everybody may read.
final class TokenDirectory {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    var path: String { directory.path + "/tokens.json" }

    /// Adds a principal and returns its token.
    @discardableResult
    func add(_ name: String, _ flags: String...) throws -> String {
        let finished = try run(["add", name] + flags)
        try #require(finished.end == .exited(0), "\(finished.diagnostics)")
        return String(decoding: finished.output, as: UTF8.self).trimmingCharacters(in: .newlines)
    }

    /// Runs `sandglass token …` on this file.
    func run(_ arguments: [String]) throws -> ChildProcess.Finished {
        try ChildProcess([Host.program, "token"] + arguments + ["--tokens", path]).finish()
    }

    func write(_ text: String) throws { try Data(text.utf8).write(to: URL(filePath: path), options: .atomic) }
}

/// A host directory that commands do not see, with the file `tools/below/file`.
///
/// Removed when the object is deallocated.
final class ToolDirectory {
    let path: String
    var tools: String { path + "/tools" }

    init() throws {
        path = (Host.isRoot ? "/srv" : NSHomeDirectory()) + "/sandglass-e2e-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path + "/tools/below", withIntermediateDirectories: true)
        try Data("of the host\n".utf8).write(to: URL(filePath: tools + "/below/file"))
        for part in [path, tools, tools + "/below"] { chmod(part, 0o755) }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// A root file system with a few of this host's programs.
///
/// The file `/mark` holds its name. Removed when the object is deallocated.
final class ImageDirectory {
    let path: String

    init(_ mark: String, directories: [String] = []) throws {
        path = (Host.isRoot ? "/srv" : NSHomeDirectory()) + "/sandglass-e2e-\(UUID().uuidString)"
        try make("bin")
        for program in [
            "sh", "cat", "ls", "id", "head", "touch", "grep", "cut", "mkdir", "test", "mv", "rm", "chmod", "ln",
            "readlink", "true",
        ] {
            try copy(Self.canonical("/usr/bin/" + program), to: "/bin/" + program)
            for library in try Self.libraries(of: "/usr/bin/" + program) {
                try copy(Self.canonical(library), to: library)
            }
        }
        for directory in directories { try make(directory) }
        try Data((mark + "\n").utf8).write(to: URL(filePath: path + "/mark"))
        chmod(path, 0o755)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Returns the modes, owners, sizes, times, names and link targets of all its files.
    func listing() throws -> String { try ChildProcess(["ls", "-AlR", "--time-style=full-iso", path]).finish().text }

    /// The names in its root.
    var names: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted() }

    private func make(_ directory: String) throws {
        try FileManager.default.createDirectory(atPath: path + "/" + directory, withIntermediateDirectories: true)
    }

    private func copy(_ file: String, to target: String) throws {
        guard !FileManager.default.fileExists(atPath: path + target) else { return }
        try make((target as NSString).deletingLastPathComponent)
        try FileManager.default.copyItem(atPath: file, toPath: path + target)
    }

    private static func canonical(_ file: String) -> String {
        URL(filePath: file).resolvingSymlinksInPath().path()
    }

    private static func libraries(of program: String) throws -> [String] {
        let output = try ChildProcess(["ldd", program]).finish().text
        return output.split(whereSeparator: \.isWhitespace).map(String.init).filter { $0.hasPrefix("/") }
    }
}
