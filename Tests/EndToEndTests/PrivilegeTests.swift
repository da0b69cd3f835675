import Foundation
import Glibc
import Testing

/// What the service itself may do, once it serves.
struct PrivilegeTests {
    private func status(_ field: String, of pid: pid_t) -> String {
        let lines = String(decoding: ProcessTable.contents("/proc/\(pid)/status") ?? [], as: UTF8.self)
        let line = lines.split(separator: "\n").first { $0.hasPrefix(field + ":") } ?? ""
        return line.dropFirst(field.count + 1).split(separator: "\t").joined(separator: " ")
    }

    @Test(.enabled(if: Host.isRoot))
    func `a server that root started is root no more when it listens`() throws {
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

    @Test func `every thread of the server has given up what the server has given up`() throws {
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
    func `the server's user is no command's`() throws {
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

    @Test func `neither the server nor its launcher gains anything by exec or is open to a look`() throws {
        try withServer { server in
            let launcher = try #require(server.launcher).pid
            for pid in [server.pid, launcher] {
                #expect(status("NoNewPrivs", of: pid) == "1")
                // A process that cannot be dumped has its /proc files owned by root.
                var file = stat()
                #expect(lstat("/proc/\(pid)/environ", &file) == 0)
                #expect(file.st_uid == 0)
            }
        }
    }

    @Test func `the launcher lives under the filter`() throws {
        try withServer { server in
            let launcher = try #require(server.launcher).pid
            #expect(status("Seccomp", of: launcher) == "2")
        }
    }

    @Test func `the launcher has kept little of the server's memory`() throws {
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

    @Test func `the launcher may write to its stack and a thread's variables, and to nothing that it has from a file`()
        throws
    {
        try withServer { server in
            let maps = ProcessTable.contents("/proc/\(try #require(server.launcher).pid)/maps") ?? []
            let writable = String(decoding: maps, as: UTF8.self).split(separator: "\n").map { $0.split(separator: " ") }
                .filter { $0[1].contains("w") }
            // One more is what it remembers of each slot, which no slot has.
            #expect(writable.count <= 3)
            #expect(writable.allSatisfy { $0.count < 6 || $0[5] == "[stack]" })
            #expect(writable.allSatisfy { $0[1] == "rw-p" })
        }
    }

    @Test(.enabled(if: Host.isRoot))
    func `the launcher keeps the capabilities that it uses and no network`() throws {
        try withServer { server in
            let launcher = try #require(server.launcher).pid
            let sets = ["CapPrm", "CapEff", "CapBnd"].map { status($0, of: launcher) }
            #expect(Set(sets).count == 1)
            let kept = try #require(UInt64(sets[0], radix: 16))
            // CHOWN, DAC_OVERRIDE, KILL, SETGID, SETUID, SETPCAP, NET_ADMIN, SYS_ADMIN, SYS_NICE (linux/capability.h).
            #expect(kept == [0, 1, 5, 6, 7, 8, 12, 21, 23].reduce(0) { $0 | 1 << UInt64($1) })
            let networks = Set(
                try [server.pid, launcher].map { pid in
                    try #require(ProcessTable.link("/proc/\(pid)/ns/net"))
                }
            )
            #expect(networks.count == 2)
        }
    }

    @Test(.enabled(if: Host.isRoot))
    func `a data directory below folders that are root's alone is used all the same`() throws {
        let folder = try TemporaryFolder()
        chmod(folder.path, 0o700)
        let server = try ServerProcess(["--data-directory", folder.path + "/data"])
        let run = try server.run(["head", "-c", "300000", "/dev/zero"])
        #expect(run.stdout.bytes == 300_000 && !run.stdout.truncated)
        try #expect(server.get("/runs/\(run.id)/stdout").body.count == 300_000)
        try server.stop()
    }
}
