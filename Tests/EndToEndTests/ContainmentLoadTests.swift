import Glibc
import Testing

/// Commands that take what they can get, in ways of which the other tests of limits know nothing.
@Suite(.serialized, .enabled(if: Host.hasControlGroups))
struct ContainmentLoadTests {
    @Test(
        arguments: [
            (
                "a deleted file that is mapped",
                """
                import mmap, os
                file = os.open('/tmp/f', os.O_RDWR | os.O_CREAT); os.unlink('/tmp/f'); os.ftruncate(file, 200 << 20)
                memory = mmap.mmap(file, 200 << 20)
                for at in range(0, 200 << 20, 4096): memory[at] = 1
                """
            ),
            (
                "what sockets hold",
                """
                import socket
                pairs = []
                while len(pairs) < 2000:
                    pair = socket.socketpair(); pairs.append(pair); pair[0].setblocking(False)
                    pair[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 30)
                    try:
                        while True: pair[0].send(b'x' * 65536)
                    except BlockingIOError: pass
                """
            ),
            (
                "tables of pages",
                """
                import mmap
                maps = []
                for _ in range(64):
                    memory = mmap.mmap(-1, 1 << 33, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000, mmap.PROT_READ)
                    if hasattr(memory, 'madvise'): memory.madvise(15)  # MADV_NOHUGEPAGE
                    maps.append(memory)
                    for at in range(0, 1 << 33, 1 << 21): memory[at]
                """
            ),
            (
                "names of files",
                """
                import os
                for folder in range(60):
                    os.mkdir(f'/tmp/{folder}')
                    for i in range(1000): os.close(os.open(f'/tmp/{folder}/' + 'n' * 200 + str(i), os.O_CREAT))
                """
            ),
        ] as [(String, String)]
    )
    func `a bomb of memory ends as such`(kind: String, script: String) throws {
        // What a run is the first to read of a file is its memory, and at its limit the kernel would drop it and read it again
        // rather than say that there is no more: slow, and another case than these.
        _ = try ChildProcess(["/usr/bin/python3", "-c", "import mmap, os, socket, time"]).finish()
        try withServer { server in
            let limits = ["memoryBytes": 48 << 20, "openFiles": 8192]
            let members: [String: Any] = ["limits": limits, "timeoutSeconds": 60]
            let run = try server.run(["python3", "-c", script + "\nimport time; time.sleep(60)"], members)
            #expect(run.end == .memoryLimit, "\(kind): \(run.stderr.text)")
            #expect((run.usage?.peakMemoryBytes ?? .max) <= 48 << 20)
            try #expect(server.shell("exit 4").end == .exited(4))
        }
    }

    @Test func `a bomb of threads is over at its deadline`() throws {
        try withServer { server in
            let script = """
                import threading, time
                def bomb():
                    while True:
                        try: threading.Thread(target=bomb).start()
                        except RuntimeError: time.sleep(0.001)
                bomb()
                """
            let run = try server.run(["python3", "-c", script], ["timeoutSeconds": 1, "limits": ["processes": 200]])
            #expect(run.end == .timedOut)
            try #expect(server.shell("exit 4").end == .exited(4))
            #expect(eventually { server.isIdle })
        }
    }

    @Test func `beside two hundred busy processes the server answers and runs commands`() throws {
        try withServer("--concurrency", "4") { server in
            let word = Marker.word()
            let members: [String: Any] = [
                "timeoutSeconds": 30, "limits": ["processes": 256, "cpuSeconds": 600],
            ]
            let busy = try server.submit(
                ["perl", "-e", "for (1..199) { last if !fork } 1 while 1", word],
                members
            )
            #expect(eventually { ProcessTable.running(word).count == 200 })
            let start = monotonicSeconds()
            for _ in 0..<20 {
                try #expect(server.get("/healthz").status == 200)
                try #expect(server.run(["true"]).end == .exited(0))
            }
            let seconds = monotonicSeconds() - start
            #expect(ProcessTable.running(word).count == 200)
            // 40 answers: with one share in 200 of the processors they would take a minute.
            #expect(seconds < 10)
            for pid in ProcessTable.running(word) { kill(pid, SIGKILL) }
            _ = try server.finished(busy)
        }
    }
}
