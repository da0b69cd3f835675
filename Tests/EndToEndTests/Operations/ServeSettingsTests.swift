import Foundation
import Glibc
import System
import TestSupport
import Testing

/// The settings of `sandglass serve`.
struct ServeSettingsTests {
    private func refusal(_ flags: [String], environment: [String: String] = [:]) throws -> String {
        let arguments = [Host.program, "serve"] + flags
        let finished = try ChildProcess(arguments, environment: environment).finish()
        #expect(finished.end == .exited(64))
        return finished.diagnostics
    }

    @Test(arguments: [
        (["--listen", "192.0.2.1:80"], "--tokens"), (["--listen", "0.0.0.0:80"], "--tokens"),
        (["--listen", "0.0.0.0:80", "--tokens", "/t"], "--allow-host"),
        (["--listen", "[::]:80", "--tokens", "/t"], "--allow-host"), (["--listen", "localhost"], "--listen"),
        (["--listen", "1:2:3"], "--listen"), (["--durability", "full"], "--data-directory"),
        (["--concurrency", "2", "--principal-concurrency", "3"], "--principal-concurrency"),
        (["--queue-limit", "2", "--principal-queue-limit", "3"], "--principal-queue-limit"),
        (["--allow-host", "a b"], "--allow-host"), (["--allow-origin", "app.example.com"], "--allow-origin"),
        (["--allow-origin", "*"], "--allow-origin"), (["--allow-origin", "https://a/b"], "--allow-origin"),
        (["--tls-key", "/k"], "--tls-certificate"), (["--tls-certificate", "/c"], "--tls-key"),
        (["--max-body-bytes", "2048", "--max-body-bytes-in-all", "1024"], "--max-body-bytes-in-all"),
        (["--keep-for", "nan"], "--keep-for"), (["--max-timeout-seconds", "0"], "--max-timeout-seconds"),
        (["--max-body-bytes", "1KB"], "--max-body-bytes"), (["--no-such-thing"], "--no-such-thing"),
        (["--config", "/no/such/file"], "/no/such/file"), (["--require", "isolation,magic"], "--require"),
        (["--expose", "/no/such/directory"], "--expose"), (["--image", "x"], "--image"),
    ])
    func `an invalid setting is refused by its name`(flags: [String], name: String) throws {
        #expect(try refusal(flags).contains(name))
    }

    @Test func `an unknown setting is refused by its name in every source`() throws {
        #expect(try refusal([], environment: ["SANDGLASS_LISTN": "1"]).contains("SANDGLASS_LISTN"))
        let directory = try TemporaryDirectory()
        let path = directory.path + "/settings.json"
        try Data(#"{"listn": "127.0.0.1:0", "concurency": 2}"#.utf8).write(to: URL(filePath: path))
        let diagnostics = try refusal(["--config", path])
        #expect(
            diagnostics.contains("listn") && diagnostics.contains("concurency") && diagnostics.contains(path)
        )
        #expect(try refusal([], environment: ["SANDGLASS_CONFIG": path]).contains("listn"))
    }

    @Test func `flags override the environment, which overrides the file`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/settings.json"
        let settings =
            #"{"maxTimeoutSeconds": 7, "maxProcesses": 50, "maxOpenFiles": 100, "maxCpuSeconds": 3.5, "maxWaitSeconds": 1}"#
        try Data(settings.utf8).write(to: URL(filePath: path))
        let environment = ["SANDGLASS_MAX_PROCESSES": "40", "SANDGLASS_MAX_OPEN_FILES": "90"]
        let flags = ["--config", path, "--max-open-files", "80"]
        let server = try ServerProcess(flags, environment: environment)
        let object = try JSONSerialization.jsonObject(with: Data(try server.get("/capabilities").body))
        let document = try #require(object as? [String: Any])
        let maxima = try #require(document["maxima"] as? [String: Any])
        let limits = try #require(maxima["limits"] as? [String: Any])
        #expect(maxima["timeoutSeconds"] as? Double == 7)
        #expect(limits["processes"] as? Int == 40)
        #expect(limits["openFiles"] as? Int == 80)
        // The maxima also bound the defaults.
        let run = try server.run(["true"])
        #expect(run.limits.timeoutSeconds == 7)
        #expect(run.limits.cpuSeconds == 3.5)
        #expect(run.limits.processes == 40)
        #expect(run.limits.openFiles == 80)
        let refused = try server.post(
            #"{"command": ["true"], "timeoutSeconds": 7.5, "limits": {"cpuSeconds": 4, "openFiles": 81}}"#
        )
        #expect(refused.status == 422)
        #expect(
            try Set(refused.problem().pointers) == ["/timeoutSeconds", "/limits/cpuSeconds", "/limits/openFiles"]
        )
        try server.stop()
    }

    @Test func `every setting is in the help and in the table of docs/configuration.md`() throws {
        let help = try ChildProcess([Host.program, "serve", "--help"]).finish()
        let text = String(decoding: help.output, as: UTF8.self)
        let variables = text.matches(of: /SANDGLASS_[A-Z_]+/).map { String($0.output) }
        #expect(variables.count >= 30)
        let page = try String(contentsOfFile: Host.repositoryPath("docs/configuration.md"), encoding: .utf8)
        for variable in Set(variables) where variable != "SANDGLASS_CONFIG" {
            let words = variable.dropFirst("SANDGLASS_".count).lowercased().split(separator: "_")
            let flag = "--" + words.joined(separator: "-")
            #expect(text.contains(flag), "\(flag)")
            #expect(page.contains("| `\(flag)`"), "the table of docs/configuration.md lacks \(flag)")
        }
    }

    @Test func `the server notifies its service manager when it is ready and when it stops`() throws {
        let manager = try ServiceManager()
        let server = try ServerProcess(environment: ["NOTIFY_SOCKET": manager.path])
        #expect(try manager.next() == "READY=1")
        try server.stop()
        #expect(try manager.next() == "STOPPING=1")
    }
}

/// A service manager: the socket that receives a service's notifications (sd_notify(3)).
private final class ServiceManager {
    private let socket: Int32
    private let directory: TemporaryDirectory

    var path: String { directory.path + "/notify" }

    init() throws {
        directory = try TemporaryDirectory()
        socket = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var timeout = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        let path = path
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &name) {
            // SAFETY: a sockaddr_un is a sockaddr, and its size is given.
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw SystemError("bind") }
        // The service is no longer root when it sends.
        chmod(directory.path, 0o755)
        chmod(path, 0o777)
    }

    deinit { close(socket) }

    /// Returns the next notification.
    func next() throws -> String {
        var text = [UInt8](repeating: 0, count: 256)
        let count = recv(socket, &text, text.count, 0)
        guard count > 0 else { throw SystemError("recv") }
        return String(decoding: text[..<count], as: UTF8.self)
    }
}
