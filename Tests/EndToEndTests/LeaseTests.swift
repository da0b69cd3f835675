import Testing

/// What a slot's number keeps from run to run: namespaces in which nothing may be left.
@Suite(.serialized)
struct LeaseTests {
    /// Each leaves one object of its kind and none of the others', so that each count is looked at.
    private static let leavings = [
        "perl -e 'defined shmget(77, 4096, 01666) or die'",
        "perl -e 'defined semget(77, 1, 01666) or die'",
        "perl -e 'defined msgget(77, 01666) or die'",
        // A queue is made by its name as well as by mq_open(3).
        "touch /dev/mqueue/queue",
    ]

    private static let looking =
        "{ tail -qn +2 /proc/sysvipc/shm /proc/sysvipc/sem /proc/sysvipc/msg; ls -A /dev/mqueue; }"

    /// More than there are slots, so that each slot's number comes up again.
    private static let runs = 6

    @Test(arguments: leavings)
    func `what a run leaves ends with it`(leaving: String) throws {
        try withServer("--concurrency", "1") { server in
            try #expect(server.shell("\(leaving) && \(Self.looking) | wc -l").stdout.text == "1\n")
            for _ in 0..<Self.runs { try #expect(server.shell(Self.looking).stdout.text == "") }
        }
    }

    @Test(arguments: leavings)
    func `and with one that was ended`(leaving: String) throws {
        try withServer("--concurrency", "1") { server in
            let run = try server.shell("\(leaving) && echo left && exec sleep 100", ["timeoutSeconds": 1])
            #expect(run.end == .timedOut)
            #expect(run.stdout.text == "left\n")
            for _ in 0..<Self.runs { try #expect(server.shell(Self.looking).stdout.text == "") }
        }
    }

    @Test func `every run leaves something and finds nothing`() throws {
        let leaving = Self.leavings.joined(separator: " && ")
        try withServer("--concurrency", "2") { server in
            for _ in 0..<20 {
                let run = try server.shell("\(Self.looking); \(leaving) && \(Self.looking) | wc -l")
                #expect(run.stdout.text == "4\n")
            }
        }
    }

    @Test func `in each run the users are the same and nobody can make others`() throws {
        let script = """
            cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups /proc/sys/user/max_user_namespaces | tr -s ' '
            echo 5 > /proc/sys/user/max_user_namespaces; echo 0 0 1 > /proc/self/uid_map; unshare -U true; grep CapBnd /proc/self/status
            """
        try withServer("--concurrency", "1") { server in
            for _ in 0..<Self.runs {
                let lines = try server.shell(script).stdout.text.split(separator: "\n")
                #expect(lines.count == 5)
                #expect(lines.prefix(2).allSatisfy { $0.hasPrefix(" 1000 ") && $0.hasSuffix(" 1") })
                #expect(lines.dropFirst(2) == ["deny", "0", "CapBnd:\t0000000000000000"])
            }
        }
    }

    @Test func `files have the permissions that users expect`() throws {
        try withServer { server in
            let script = "umask; touch f; mkdir d; stat -c %a f d /box /tmp /dev/shm"
            try #expect(server.shell(script).stdout.text == "0022\n644\n755\n755\n1777\n1777\n")
        }
    }
}
