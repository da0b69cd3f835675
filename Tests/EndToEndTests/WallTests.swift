import Glibc
import Testing

/// The filter of system calls and Landlock, and kernels without them.
struct WallTests {
    @Test func `a run says that its system calls are filtered`() throws {
        try withServer { server in
            let answer = try server.post(ServerProcess.body(["true"]), query: "?wait=30")
            #expect(answer.text.contains(#""syscalls":"seccomp""#))
        }
        let run = try ChildProcess([Host.program, "run", "--json", "--", "true"]).finish()
        #expect(run.text.contains(#""syscalls":"seccomp""#))
    }

    @Test(arguments: [
        "renice 19 1", "renice 19 -u 1000", "chrt -i -p 0 1", "taskset -p 1 1", "prlimit --pid 1 --nofile=0",
        "ionice -c 3 -p 1",
    ])
    func `a command cannot slow its slot down`(command: String) throws {
        try withServer { server in
            let run = try server.shell(command)
            #expect(run.exitCode == 1)
            #expect(run.stderr.text.contains("Operation not permitted"))
        }
    }

    @Test func `a command may slow itself down and change its own limits`() throws {
        try withServer { server in
            let script = """
                renice 19 $$ && chrt -i -p 0 $$ && ionice -c 3 -p $$ && prlimit --nofile=10 sh -c 'ulimit -n' \
                && prlimit --pid $$ --nofile -o SOFT --noheadings
                """
            try #expect(server.shell(script + " > /dev/null").end == .exited(0))
        }
    }

    #if arch(x86_64)
    @Test func `a kernel without filters is refused`() throws {
        let run = try ChildProcess(KernelWithout.call(317) + [Host.program, "run", "--", "true"]).finish()
        #expect(run.end == .exited(125))
        #expect(run.diagnostics.contains("system_call_filter"))
    }

    @Test func `a kernel without Landlock is served, and said to be one`() throws {
        let server = try ChildProcess(KernelWithout.call(444) + [Host.program, "serve", "--listen", "127.0.0.1:0"])
        try #expect(server.readErrorLine()?.hasPrefix("listening on") == true)
        try #expect(server.readErrorLine()?.contains("no Landlock") == true)
        server.send(signal: SIGTERM)
        try #expect(server.wait() == .exited(0))
    }

    @Test func `a kernel without Landlock runs commands behind its other walls`() throws {
        let script = "echo 1000 > /proc/self/oom_score_adj; echo x 2>/dev/null > /usr/x; exit 3"
        let command = KernelWithout.call(444) + [Host.program, "run", "--", "sh", "-c", script]
        try #expect(ChildProcess(command).finish().end == .exited(3))
    }
    #endif
}
