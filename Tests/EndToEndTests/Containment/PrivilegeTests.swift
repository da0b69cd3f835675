import Foundation
import Glibc
import TestSupport
import Testing

/// The privileges of the server and its launcher after the start.
struct PrivilegeTests {
    private func status(_ field: String, of pid: pid_t) -> String {
        let lines = String(decoding: ProcessTable.contents("/proc/\(pid)/status") ?? [], as: UTF8.self)
        let line = lines.split(separator: "\n").first { $0.hasPrefix(field + ":") } ?? ""
        return line.dropFirst(field.count + 1).split(separator: "\t").joined(separator: " ")
    }

    @Test(.enabled(if: Host.isRoot))
    func `a server that root started gives up root before it listens`() throws {
        try withServer { server in
            let users = Set(status("Uid", of: server.pid).split(separator: " "))
            #expect(users.count == 1 && !users.contains("0"))
            #expect(Set(status("Gid", of: server.pid).split(separator: " ")).count == 1)
            #expect(status("Groups", of: server.pid).allSatisfy { $0 == " " })
            for set in ["CapPrm", "CapEff", "CapInh", "CapAmb"] {
                #expect(status(set, of: server.pid) == "0000000000000000")
            }
        }
    }

    @Test func `every thread of the server has given up its privileges`() throws {
        try withServer { server in
            let threads = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(server.pid)/task").compactMap(
                pid_t.init
            )
            #expect(threads.count > 2)
            for thread in threads {
                #expect(status("NoNewPrivs", of: thread) == "1")
                #expect(status("CapEff", of: thread) == "0000000000000000")
                #expect(status("Uid", of: thread) == status("Uid", of: server.pid))
            }
        }
    }

    @Test(.enabled(if: Host.isRoot))
    func `the server's user differs from the users of commands`() throws {
        try withServer { server in
            let nap = Marker.nap()
            let run = try server.submit(["sleep", nap], ["timeoutSeconds": 60])
            #expect(eventually { ProcessTable.running(nap).count == 1 })
            let command = try #require(ProcessTable.running(nap).first)
            #expect(status("Uid", of: command) != status("Uid", of: server.pid))
            kill(command, SIGKILL)
            _ = try server.finished(run)
        }
    }

    @Test func `neither the server nor its launcher is dumpable or gains privileges by exec`() throws {
        try withServer { server in
            let launcher = try #require(server.launcher).pid
            for pid in [server.pid, launcher] {
                #expect(status("NoNewPrivs", of: pid) == "1")
                // The /proc files of a process that is not dumpable belong to root.
                var file = stat()
                #expect(lstat("/proc/\(pid)/environ", &file) == 0)
                #expect(file.st_uid == 0)
            }
        }
    }

    @Test func `the launcher has a system call filter`() throws {
        try withServer { server in
            let launcher = try #require(server.launcher).pid
            #expect(status("Seccomp", of: launcher) == "2")
        }
    }

    @Test func `the launcher has unmapped the server's heap and libraries`() throws {
        try withServer { server in
            let maps = ProcessTable.contents("/proc/\(try #require(server.launcher).pid)/maps") ?? []
            let names = Set(
                String(decoding: maps, as: UTF8.self).split(separator: "\n").compactMap { line in
                    line.split(separator: " ").dropFirst(5).first.map { String($0.split(separator: "/").last ?? $0) }
                }
            )
            #expect(names.isDisjoint(with: ["[heap]"]) && names.contains("[stack]"))
            #expect(
                names.filter { $0.contains(".so") }.allSatisfy { $0.hasPrefix("libc.so") || $0.hasPrefix("ld-linux") }
            )
        }
    }

    @Test func `the launcher has no writable mapping of a file`()
        throws
    {
        try withServer { server in
            let maps = ProcessTable.contents("/proc/\(try #require(server.launcher).pid)/maps") ?? []
            let writable = String(decoding: maps, as: UTF8.self).split(separator: "\n").map { $0.split(separator: " ") }
                .filter { $0[1].contains("w") }
            // Besides stack and thread variables there is the table of slots, which slots do not have.
            #expect(writable.count <= 3)
            #expect(writable.allSatisfy { $0.count < 6 || $0[5] == "[stack]" })
            #expect(writable.allSatisfy { $0[1] == "rw-p" })
        }
    }

    @Test(.enabled(if: Host.isRoot))
    func `the launcher keeps only the capabilities that it uses, and no network`() throws {
        try withServer { server in
            let launcher = try #require(server.launcher).pid
            let sets = ["CapPrm", "CapEff", "CapBnd"].map { status($0, of: launcher) }
            #expect(Set(sets).count == 1)
            let capabilities = try #require(UInt64(sets[0], radix: 16))
            // CHOWN, DAC_OVERRIDE, KILL, SETGID, SETUID, SETPCAP, NET_ADMIN, SYS_ADMIN, SYS_NICE (linux/capability.h).
            #expect(capabilities == [0, 1, 5, 6, 7, 8, 12, 21, 23].reduce(0) { $0 | 1 << UInt64($1) })
            let networks = Set(
                try [server.pid, launcher].map { pid in
                    try #require(ProcessTable.link("/proc/\(pid)/ns/net"))
                }
            )
            #expect(networks.count == 2)
        }
    }

    @Test(.enabled(if: Host.isRoot))
    func `the server uses a data directory below directories of root`() throws {
        let directory = try TemporaryDirectory()
        chmod(directory.path, 0o700)
        let server = try ServerProcess(["--data-directory", directory.path + "/data"])
        let run = try server.run(["head", "-c", "300000", "/dev/zero"])
        #expect(run.stdout.bytes == 300_000 && !run.stdout.truncated)
        try #expect(server.get("/runs/\(run.id)/stdout").body.count == 300_000)
        try server.stop()
    }
}

/// The system call filter and Landlock, and kernels without them.
struct ProtectionTests {
    @Test func `a run reports its system call filter`() throws {
        try withServer { server in
            let response = try server.post(ServerProcess.body(["true"]), query: "?wait=30")
            #expect(response.text.contains(#""syscalls":"seccomp""#))
        }
        let run = try ChildProcess([Host.program, "run", "--json", "--", "true"]).finish()
        #expect(run.text.contains(#""syscalls":"seccomp""#))
    }

    @Test func `a command cannot slow down its slot`() throws {
        try withServer { server in
            for command in [
                "renice 19 1", "renice 19 -u 1000", "chrt -i -p 0 1", "taskset -p 1 1", "prlimit --pid 1 --nofile=0",
                "ionice -c 3 -p 1",
            ] {
                let run = try server.shell(command)
                #expect(run.exitCode == 1, "\(command)")
                #expect(run.stderr.text.contains("Operation not permitted"), "\(command)")
            }
        }
    }

    @Test func `a command may change its own priority and limits`() throws {
        try withServer { server in
            let script = """
                renice 19 $$ && chrt -i -p 0 $$ && ionice -c 3 -p $$ && prlimit --nofile=10 sh -c 'ulimit -n' \
                && prlimit --pid $$ --nofile -o SOFT --noheadings
                """
            try #expect(server.shell(script + " > /dev/null").end == .exited(0))
        }
    }

    #if arch(x86_64)
    @Test func `a kernel without seccomp filters is refused`() throws {
        let run = try ChildProcess(SeccompDeny.call(317) + [Host.program, "run", "--", "true"]).finish()
        #expect(run.end == .exited(125))
        #expect(run.diagnostics.contains("system_call_filter"))
    }

    @Test func `a kernel without Landlock is accepted with a warning`() throws {
        let server = try ChildProcess(SeccompDeny.call(444) + [Host.program, "serve", "--listen", "127.0.0.1:0"])
        try #expect(server.readErrorLine()?.hasPrefix("listening on") == true)
        try #expect(server.readErrorLine()?.contains("no Landlock") == true)
        server.send(signal: SIGTERM)
        try #expect(server.wait() == .exited(0))
    }

    @Test func `a kernel without Landlock keeps the other protections`() throws {
        let script = "echo 1000 > /proc/self/oom_score_adj; echo x 2>/dev/null > /usr/x; exit 3"
        let command = SeccompDeny.call(444) + [Host.program, "run", "--", "sh", "-c", script]
        try #expect(ChildProcess(command).finish().end == .exited(3))
    }
    #endif
}
