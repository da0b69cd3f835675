import Foundation
import Testing

/// What `sandglass serve` can be told, and how.
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
        (["--max-body-bytes", "1k"], "--max-body-bytes"), (["--no-such-thing"], "--no-such-thing"),
        (["--config", "/no/such/file"], "/no/such/file"), (["--require", "isolation,magic"], "--require"),
        (["--expose", "/no/such/folder"], "--expose"), (["--image", "x"], "--image"),
    ])
    func `what cannot be is refused by the name of the setting`(flags: [String], name: String) throws {
        #expect(try refusal(flags).contains(name))
    }

    @Test func `a setting that nobody knows is refused by its name, wherever it stands`() throws {
        #expect(try refusal([], environment: ["SANDGLASS_LISTN": "1"]).contains("SANDGLASS_LISTN"))
        let folder = try TemporaryFolder()
        let path = folder.path + "/settings.json"
        try Data(#"{"listn": "127.0.0.1:0", "concurency": 2}"#.utf8).write(to: URL(filePath: path))
        let told = try refusal(["--config", path])
        #expect(told.contains("listn") && told.contains("concurency") && told.contains(path))
        #expect(try refusal([], environment: ["SANDGLASS_CONFIG": path]).contains("listn"))
    }

    @Test func `a file, the environment and flags say what the server does, the latter ones first`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/settings.json"
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
        // What is allowed is also what whoever asks for nothing gets at most.
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

    @Test func `every setting is in the help and in the README's table`() throws {
        let help = try ChildProcess([Host.program, "serve", "--help"]).finish()
        let text = String(decoding: help.output, as: UTF8.self)
        let variables = text.matches(of: /SANDGLASS_[A-Z_]+/).map { String($0.output) }
        #expect(variables.count >= 30)
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let readme = try String(contentsOf: root.appending(path: "README.md"), encoding: .utf8)
        for variable in Set(variables) where variable != "SANDGLASS_CONFIG" {
            let words = variable.dropFirst("SANDGLASS_".count).lowercased().split(separator: "_")
            let flag = "--" + words.joined(separator: "-")
            #expect(text.contains(flag), "\(flag)")
            #expect(readme.contains("| `\(flag)`"), "the README's table lacks \(flag)")
        }
    }

    @Test func `a service manager is told when the server is ready and when it stops`() throws {
        let manager = try ServiceManager()
        let server = try ServerProcess(environment: ["NOTIFY_SOCKET": manager.path])
        #expect(try manager.next() == "READY=1")
        try server.stop()
        #expect(try manager.next() == "STOPPING=1")
    }
}
