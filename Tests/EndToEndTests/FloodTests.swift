import Testing

/// Output without end: no deadlock, no lost byte in the count, and a server that stays small.
@Suite(.serialized)
struct FloodTests {
    /// What the server may grow by while gigabytes pass through.
    private static let allowance = 48 << 20

    private func memoryGrowth(_ server: ServerProcess, _ body: () throws -> Void) throws -> Int {
        _ = try server.shell("true")
        let before = try #require(ProcessTable.memory("VmRSS", of: server.pid))
        try body()
        return try #require(ProcessTable.memory("VmHWM", of: server.pid)) - before
    }

    @Test func `a gibibyte written to both streams in turn is drained and counted`() throws {
        try withServer { server in
            let half = 512 << 20
            let growth = try memoryGrowth(server) {
                // Pieces of odd sizes, so that both pipes are full at every possible point.
                let script = """
                    my $left = \(half); my $piece = 'x' x 65537;
                    while ($left > 0) {
                        my $n = $left < 65537 ? $left : 65537;
                        for my $stream (\\*STDOUT, \\*STDERR) {
                            my $done = 0;
                            while ($done < $n) { $done += syswrite $stream, $piece, $n - $done }
                        }
                        $left -= $n;
                    }
                    """
                let run = try server.perl(script, ["timeoutSeconds": 120])
                #expect(run.end == .exited(0))
                for stream in [run.stdout, run.stderr] {
                    #expect(stream.bytes == half)
                    #expect(stream.truncated)
                    #expect(stream.text == String(repeating: "x", count: 1 << 20))
                }
            }
            #expect(growth < Self.allowance)
        }
    }

    @Test func `a hundred mebibytes on standard error alone are drained and counted`() throws {
        try withServer { server in
            let growth = try memoryGrowth(server) {
                let run = try server.shell("head -c 104857600 /dev/zero >&2; echo done", ["timeoutSeconds": 120])
                #expect(run.end == .exited(0))
                #expect(run.stderr.bytes == 100 << 20)
                #expect(run.stderr.truncated)
                #expect(run.stdout.text == "done\n")
            }
            #expect(growth < Self.allowance)
        }
    }

    @Test func `a command that floods its output is ended at its deadline`() throws {
        try withServer { server in
            let growth = try memoryGrowth(server) {
                let run = try server.shell("cat /dev/zero & cat /dev/zero >&2", ["timeoutSeconds": 0.5])
                #expect(run.end == .timedOut)
                #expect(run.stdout.truncated && run.stderr.truncated)
            }
            #expect(growth < Self.allowance)
        }
    }
}
