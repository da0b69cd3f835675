import Glibc
import Testing

@Suite(.timeLimit(.minutes(3))) struct CacheTests {
    /// Each execution of it writes something else.
    private let uuid = ["sh", "-c", "sleep 0.3; cat /proc/sys/kernel/random/uuid"]

    private func cached(_ server: ServerProcess, _ command: [String], _ members: [String: Any] = [:]) throws -> RunReply
    {
        try server.run(command, members.merging(["cache": true]) { _, new in new })
    }

    @Test func `the very same run is answered from the store at once, also after kill -9 and a restart`() throws {
        let folder = try TemporaryFolder()
        let first = try ServerProcess(["--data-directory", folder.path + "/data"])
        let run = try cached(first, uuid)
        #expect(run.cached == nil && run.end == .exited(0))
        let again = try cached(first, uuid, ["labels": ["a": "b"]])
        #expect(again.cached == true && again.id == run.id && again.stdout == run.stdout)
        #expect(try first.run(uuid).stdout != run.stdout)
        #expect(try first.get("/runs/\(run.id)").run().cached == nil)
        first.process.send(signal: SIGKILL)
        _ = try first.process.wait()
        let second = try ServerProcess(["--data-directory", folder.path + "/data"])
        let last = try cached(second, uuid)
        #expect(last.cached == true)
        let answer = try second.post(ServerProcess.body(uuid, ["cache": true]))
        #expect(answer.status == 202 && answer.headers["location"] == "/runs/\(last.id)")
        #expect(try answer.run().stdout == last.stdout)
        try second.stop()
    }

    @Test func `a run that differs in anything is run`() throws {
        try withServer { server in
            let command = ["sh", "-c", "cat /proc/sys/kernel/random/uuid"]
            var texts = [try cached(server, command).stdout.text]
            let differences: [[String: Any]] = [
                ["env": ["A": "1"]], ["workingDirectory": "/tmp"], ["stdin": "x"], ["timeoutSeconds": 9],
                ["graceSeconds": 1], ["onOutputLimit": "kill"], ["limits": ["cpuSeconds": 3]],
                ["limits": ["memoryBytes": 256 << 20]], ["limits": ["processes": 9]], ["limits": ["outputBytes": 999]],
                ["limits": ["diskBytes": 1 << 20]], ["limits": ["openFiles": 99]],
            ]
            for difference in differences {
                let run = try cached(server, command, difference)
                #expect(run.cached == nil, "\(difference)")
                texts.append(run.stdout.text)
            }
            texts.append(try cached(server, command + ["x"]).stdout.text)
            #expect(Set(texts).count == differences.count + 2)
        }
    }

    @Test func `the very same runs at once are executed once`() throws {
        try withServer("--concurrency", "8") { server in
            let runs = try server.runTogether(30, uuid, ["cache": true])
            #expect(Set(runs.map(\.stdout.text)).count == 1 && Set(runs.map(\.id)).count == 1)
            #expect(runs.count { $0.cached == true } == 29)
        }
    }

    @Test func `if the one that is executed does not exit, the others run by themselves`() throws {
        try withServer("--concurrency", "8") { server in
            let script = "sleep 0.3; cat /proc/sys/kernel/random/uuid; kill -9 $$"
            let runs = try server.runTogether(5, ["sh", "-c", script], ["cache": true])
            #expect(runs.allSatisfy { $0.end == .signaled("SIGKILL") && $0.cached == nil })
            #expect(Set(runs.map(\.stdout.text)).count == 5)
        }
    }

    @Test func `who does not wait gets the run that is under way`() throws {
        try withServer { server in
            let first = try server.submit(uuid, ["cache": true])
            let second = try server.submit(uuid, ["cache": true])
            #expect(second.id == first.id && second.cached == true && second.state != "finished")
        }
    }

    @Test func `a run that did not exit answers for nobody`() throws {
        try withServer { server in
            let members: [String: Any] = ["timeoutSeconds": 0.1]
            let first = try cached(server, ["sleep", "1000"], members)
            let second = try cached(server, ["sleep", "1000"], members)
            #expect(first.end == .timedOut && second.end == .timedOut && second.cached == nil && first.id != second.id)
        }
    }

    @Test func `a run on the host's network has no earlier one`() throws {
        try withServer("--allow-host-network") { server in
            let problem = try server.post(#"{"command":["true"],"cache":true,"network":"host"}"#).problem()
            #expect(problem.status == 422 && problem.pointers == ["/cache"])
        }
    }
}
