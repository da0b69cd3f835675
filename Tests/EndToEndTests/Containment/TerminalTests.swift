import Testing

/// Pseudo-terminals inside a run.
struct TerminalTests {
    @Test(.needs("python3")) func `a program on a pseudo-terminal of the run has a controlling terminal`() throws {
        try withServer { server in
            let script = """
                import os, pty
                pid, terminal = pty.fork()
                if pid == 0:
                    os.execvp("sh", ["sh", "-c", "tty; [ -t 0 ] && echo terminal; echo through tty > /dev/tty; stty -a | head -1"])
                text = b""
                try:
                    while part := os.read(terminal, 4096): text += part
                except OSError: pass
                print(text.decode().replace("\\r", ""), end="")
                """
            let run = try server.run(["python3", "-c", script])
            #expect(
                run.stdout.text.hasPrefix("/dev/pts/0\nterminal\nthrough tty\nspeed 38400 baud"),
                "\(run.stdout.text)\(run.stderr.text)"
            )
        }
    }

    @Test(.needs("python3")) func `no run sees a terminal of another run or of the host`() throws {
        try withServer("--concurrency", "2") { server in
            let holder = try server.submit(
                ["python3", "-c", "import pty, time; held = [pty.openpty() for _ in range(5)]; time.sleep(60)"],
                ["timeoutSeconds": 3]
            )
            for _ in 0..<3 {
                try #expect(
                    server.shell("ls /dev/pts; cat /dev/tty 2>&1 | head -1; tty").stdout.text.hasPrefix("ptmx\n")
                )
            }
            try #expect(server.finished(holder).timedOut)
        }
    }

    @Test(.needs("python3")) func `the number of terminals is limited, and each run has its own`() throws {
        try withServer { server in
            let script = """
                import pty
                held = []
                try:
                    while True: held.append(pty.openpty())
                except OSError: print(len(held))
                """
            for _ in 0..<3 {
                let run = try server.run(["python3", "-c", script])
                #expect(run.stdout.text == "64\n", "\(run.stderr.text)")
            }
        }
    }

    @Test(.needs("python3")) func `input cannot be pushed into a terminal`() throws {
        try withServer { server in
            let script = """
                import fcntl, pty, termios
                terminal, device = pty.openpty()
                for request, argument in (termios.TIOCSTI, b"x"), (0x541C, b"\\x02"):
                    try: fcntl.ioctl(device, request, argument); print("pushed")
                    except OSError as error: print(error.errno)
                """
            try #expect(server.run(["python3", "-c", script]).stdout.text == "1\n1\n")
        }
    }

    @Test(.needs("script")) func `script runs a command on a terminal`() throws {
        try withServer { server in
            let run = try server.run(["script", "-qec", "tty; exit 4", "/dev/null"])
            #expect(run.stdout.text == "/dev/pts/0\r\n")
            #expect(run.end == .exited(4))
        }
    }

    @Test(.needs("expect")) func `expect talks to a program`() throws {
        try withServer { server in
            let script = "spawn sh -c {read name; echo hello $name}; send ada\\r; expect {hello ada} {exit 3}; exit 4"
            let run = try server.run(["expect", "-c", script])
            #expect(run.end == .exited(3), "\(run.stdout.text)\(run.stderr.text)")
        }
    }

    @Test(.needs("tmux")) func `tmux runs a command in a window`() throws {
        try withServer { server in
            let script = """
                tmux -f /dev/null new-session -d -x 80 -y 24 'echo in tmux > /box/out; tmux wait-for -S done; sleep 60'
                tmux wait-for done; cat /box/out; tmux kill-server
                """
            let run = try server.shell(script, ["timeoutSeconds": 30])
            #expect(run.stdout.text == "in tmux\n", "\(run.stderr.text)")
        }
    }
}
