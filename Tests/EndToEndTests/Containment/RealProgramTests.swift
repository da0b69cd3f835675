import Foundation
import Glibc
import Testing

/// Compilers, interpreters and tools that must work inside the sandbox.
struct RealProgramTests {
    @Test(.needs("gcc"))
    func `gcc builds a program with threads and message queues`() throws {
        try expect(Self.threads(compiler: "gcc"), output: "64 threads, message: hello\n")
    }

    @Test(.needs("clang"))
    func `clang builds a program with threads and message queues`() throws {
        try expect(Self.threads(compiler: "clang"), output: "64 threads, message: hello\n")
    }

    @Test(.needs("g++"))
    func `g++ builds a program that runs`() throws {
        let script = """
            cat > a.cc <<'END'
            #include <future>
            #include <iostream>
            int main() { std::cout << std::async(std::launch::async, [] { return 42; }).get() << std::endl; }
            END
            g++ -O2 -pthread a.cc && ./a.out
            """
        try expect(script, output: "42\n")
    }

    @Test(.needs("python3"))
    func `python runs threads, processes, pools, event loops and shared memory`() throws {
        let script = #"""
            cat > a.py <<'END'
            import asyncio, multiprocessing, socket, subprocess, tempfile, threading
            from multiprocessing import shared_memory

            async def child():
                process = await asyncio.create_subprocess_exec("echo", "asyncio", stdout=subprocess.PIPE)
                return (await process.communicate())[0].decode().strip()

            if __name__ == "__main__":
                found = []
                threads = [threading.Thread(target=found.append, args=(n,)) for n in range(20)]
                for thread in threads: thread.start()
                for thread in threads: thread.join()
                print(len(found), subprocess.check_output(["echo", "subprocess"], text=True).strip())
                with multiprocessing.Pool(3) as pool: print(sum(pool.map(abs, range(-10, 0))))
                for method in ("fork", "spawn", "forkserver"):
                    context = multiprocessing.get_context(method)
                    process = context.Process(target=print, args=(method,), kwargs={"flush": True})
                    process.start(); process.join()
                print(asyncio.run(child()))
                memory = shared_memory.SharedMemory(create=True, size=16); memory.close(); memory.unlink()
                near, far = socket.socketpair(); near.send(b"pair"); print(far.recv(4).decode())
                with tempfile.TemporaryFile() as file: file.write(b"x"); print(file.tell())
            END
            python3 a.py
            """#
        try expect(script, output: "20 subprocess\n55\nfork\nspawn\nforkserver\nasyncio\npair\n1\n")
    }

    @Test(.needs("node"))
    func `node runs workers, children, files and local sockets`() throws {
        let script = #"""
            cat > a.js <<'END'
            const { Worker } = require('worker_threads'), fs = require('fs'), net = require('net');
            const { execFileSync } = require('child_process');
            console.log(execFileSync('echo', ['child']).toString().trim());
            fs.writeFileSync('/tmp/f', 'file'); fs.renameSync('/tmp/f', '/tmp/g');
            console.log(fs.readFileSync('/tmp/g').toString());
            const server = net.createServer(socket => socket.end('socket')).listen('/tmp/s', () =>
                net.connect('/tmp/s').on('data', data => {
                    console.log(data.toString());
                    server.close();
                    new Worker('console.log("worker")', { eval: true });
                }));
            END
            node a.js
            """#
        try expect(script, output: "child\nfile\nsocket\nworker\n")
    }

    @Test(.needs("java"))
    func `java starts`() throws {
        try withServer { server in
            let run = try server.run(["java", "-version"], ["timeoutSeconds": 50, "limits": ["processes": 256]])
            #expect(run.end == .exited(0))
            #expect(run.stderr.text.contains("version"))
        }
    }

    @Test(.needs("git"))
    func `git creates repositories, commits, branches, merges and packs`() throws {
        let script = """
            git init -q -b main a && cd a && git config user.email a@b && git config user.name n && echo 1 > f \
            && git add f && git commit -qm one && git checkout -qb side && echo 2 > g && git add g && git commit -qm two \
            && git checkout -q main && git merge -q --no-ff -m three side && git gc -q && cd .. && git clone -q a b \
            && git -C b log --format=%s | sort
            """
        try expect(script, output: "one\nthree\ntwo\n")
    }

    @Test(.needs("make"))
    func `make runs parallel jobs`() throws {
        let script = #"""
            printf 'all: $(addsuffix .o,1 2 3 4 5 6 7 8)\n\tcat $^ | wc -l\n%%.o:\n\t@sleep 0.1; echo $@ > $@\n' > Makefile
            make -s -j4
            """#
        try expect(script, output: "8\n")
    }

    @Test(.needs("bash"))
    func `bash controls its jobs`() throws {
        let script = """
            exec bash -c 'set -m; sleep 100 & kill -STOP %1; until jobs | grep -q Stopped; do :; done; \
            bg > /dev/null; kill %1; wait %1; echo $?; (exit 5) & wait $!; echo $?; cat < <(echo process) <<< here; \
            coproc cat; echo co >&${COPROC[1]}; read line <&${COPROC[0]}; echo $line' 2> /dev/null
            """
        try expect(script, output: "143\n5\nhere\nco\n")
    }

    @Test func `sort uses temporary files`() throws {
        try expect("seq 1000000 | sort -r -S 4M --parallel=4 | sort -n -S 4M | tail -1", output: "1000000\n")
    }

    @Test(.needs("xz"))
    func `tar packs and unpacks`() throws {
        let script = """
            mkdir -p a/b && echo 1 > a/b/f && ln a/b/f a/hard && ln -s b/f a/soft && mkfifo a/pipe \
            && tar -cJf a.tar.xz a && mkdir c && tar -xJf a.tar.xz -C c && cat c/a/soft c/a/hard && test -p c/a/pipe
            """
        try expect(script, output: "1\n1\n")
    }

    @Test func `timeout(1) ends its command`() throws {
        try expect("timeout 0.1 sleep 100; echo $?", output: "124\n")
    }

    @Test(.needs("perl"))
    func `perl uses fork, locks and System V IPC`() throws {
        let script = #"""
            perl -e 'use IPC::SysV qw(IPC_PRIVATE S_IRUSR S_IWUSR); my $q = msgget IPC_PRIVATE, S_IRUSR|S_IWUSR; \
            defined $q or die; if (!fork) { msgsnd $q, pack("l! a*", 1, "hello"), 0; exit } msgrcv $q, my $m, 99, 0, 0; \
            wait; print substr($m, length pack "l!", 0), "\n"; msgctl $q, 0, 0; open F, ">", "l" or die; \
            flock F, 2 or die'
            """#
        try expect(script, output: "hello\n")
    }

    @Test func `standard streams can be opened by name`() throws {
        try withServer { server in
            let script = "cat /dev/stdin > /dev/stdout; echo err > /dev/stderr"
            let run = try server.shell(script, ["stdin": "in"])
            #expect(run.stdout.text == "in")
            #expect(run.stderr.text == "err\n")
        }
    }

    private static let swiftCompiler: String? = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(
        separator: ":"
    )
    .map { "\($0)/swiftc" }.first { access($0, X_OK) == 0 }

    @Test(.enabled(if: swiftCompiler != nil, "there is no swiftc in PATH"))
    func `a Swift program runs tasks`() throws {
        let directory = try TemporaryDirectory()
        let source = """
            @main struct Hello {
                static func main() async {
                    let sum = await withTaskGroup(of: Int.self) { group in
                        for number in 1...100 { group.addTask { number } }
                        return await group.reduce(0, +)
                    }
                    print("hello", sum)
                }
            }
            """
        try directory.write("hello.swift", source, mode: 0o644)
        // The sandbox sees no toolchain, so the program includes the library.
        let compiler = try #require(Self.swiftCompiler)
        let compilation = try ChildProcess(
            [
                compiler, "-parse-as-library", "-static-stdlib", "-o", "\(directory.path)/hello",
                "\(directory.path)/hello.swift",
            ]
        ).finish()
        try #require(compilation.end == .exited(0), "\(compilation.diagnostics)")
        let program = try Data(contentsOf: URL(filePath: "\(directory.path)/hello"))
        let command = [Host.program, "run", "--", "sh", "-c", "cat > hello && chmod +x hello && exec ./hello"]
        let run = try ChildProcess(command, input: .pipe).finish(input: Array(program))
        #expect(run.end == .exited(0))
        #expect(run.text == "hello 5050\n")
    }

    // MARK: Scripts

    private func expect(_ script: String, output: String) throws {
        try withServer { server in
            let run = try server.shell(script, ["timeoutSeconds": 50, "limits": ["processes": 256]])
            #expect(run.stdout.text == output, "\(run.stderr.text)")
            #expect(run.end == .exited(0))
        }
    }

    private static func threads(compiler: String) -> String {
        #"""
        cat > a.c <<'END'
        #include <fcntl.h>
        #include <mqueue.h>
        #include <pthread.h>
        #include <stdatomic.h>
        #include <stdio.h>
        static atomic_int count;
        static void *run(void *unused) { atomic_fetch_add(&count, 1); return unused; }
        int main(void) {
            pthread_t threads[64];
            for (int i = 0; i < 64; i++) if (pthread_create(&threads[i], NULL, run, NULL)) return 1;
            for (int i = 0; i < 64; i++) pthread_join(threads[i], NULL);
            struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = 16};
            mqd_t queue = mq_open("/q", O_RDWR | O_CREAT, 0600, &attributes);
            char message[16];
            if (queue < 0 || mq_send(queue, "hello", 6, 0) || mq_receive(queue, message, sizeof message, NULL) < 0) return 2;
            printf("%d threads, message: %s\n", count, message);
        }
        END
        \#(compiler) -O2 -pthread a.c -o a -lrt && ./a
        """#
    }
}
