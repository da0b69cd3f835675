import Foundation
import Testing

/// Debuggers, tracers and leak checks inside a run, and the processes that they must not reach.
@Suite(.serialized)
struct DebuggerTests {
    private static let header = """
        #define _GNU_SOURCE
        #include <errno.h>
        #include <signal.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/ptrace.h>
        #include <sys/syscall.h>
        #include <sys/uio.h>
        #include <sys/user.h>
        #include <sys/wait.h>
        #include <unistd.h>

        """

    /// Compiles a C program in a run and runs it there.
    private func run(_ program: String, flags: String = "", _ members: [String: Any] = [:]) throws -> RunDocument {
        let server = try ServerProcess()
        let files = ["a.c": Self.header + program]
        let script = "gcc -g \(flags) a.c && exec ./a.out"
        let run = try server.run(["sh", "-c", script], ["files": files, "timeoutSeconds": 30].merging(members) { $1 })
        try server.stop()
        return run
    }

    @Test(.needs("gcc")) func `a process traces its child and reads and writes its memory`() throws {
        let run = try run(
            """
            static volatile long value = 1;
            int main(void) {
                pid_t child = fork();
                if (child == 0) {
                    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
                    raise(SIGSTOP);
                    _exit((int)value);
                }
                int status;
                waitpid(child, &status, 0);
                long word = 0;
                struct iovec own = {&word, sizeof word}, other = {(void *)&value, sizeof value};
                process_vm_readv(child, &own, 1, &other, 1, 0);
                printf("stopped %d, read %ld\\n", WSTOPSIG(status), word);
                word = 42;
                process_vm_writev(child, &own, 1, &other, 1, 0);
                ptrace(PTRACE_CONT, child, NULL, NULL);
                waitpid(child, &status, 0);
                printf("exited %d\\n", WEXITSTATUS(status));
            }
            """
        )
        #expect(run.stdout.text == "stopped 19, read 1\nexited 42\n", "\(run.stderr.text)")
    }

    @Test(.needs("gcc")) func `the slot can be neither traced nor read`() throws {
        let run = try run(
            """
            int main(void) {
                char byte;
                struct iovec own = {&byte, 1}, other = {(void *)main, 1};
                errno = 0; ptrace(PTRACE_ATTACH, 1, NULL, NULL); printf("%d ", errno);
                errno = 0; ptrace(PTRACE_SEIZE, 1, NULL, NULL); printf("%d ", errno);
                errno = 0; process_vm_readv(1, &own, 1, &other, 1, 0); printf("%d ", errno);
                errno = 0; process_vm_writev(1, &own, 1, &other, 1, 0); printf("%d\\n", errno);
            }
            """
        )
        #expect(run.stdout.text == "1 1 1 1\n", "\(run.stderr.text)")
    }

    @Test(.needs("gcc"), arguments: [false, true])
    func `a process that makes the slot its tracer runs on`(isOrphan: Bool) throws {
        let run = try run(
            """
            static void note(int signal) { dprintf(1, "signal %d\\n", signal); }
            int main(int count, char **words) {
                if (count > 1) {
                    puts("executed");
                    return 7;
                }
                if (\(isOrphan ? 1 : 0)) {
                    int ends[2];
                    if (pipe(ends) < 0) return 1;
                    if (fork() > 0) {
                        // Reads the end of the pipe when the orphan has exited.
                        char byte;
                        close(ends[1]);
                        wait(NULL);
                        return (int)read(ends[0], &byte, 1) + 7;
                    }
                    if (fork() > 0) _exit(0);
                    while (getppid() != 1) sched_yield();
                }
                signal(SIGUSR1, note);
                if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0) return 2;
                raise(SIGUSR1);
                execl("/box/a.out", "a.out", "again", NULL);
            }
            """,
            flags: "-include sched.h"
        )
        #expect(run.stdout.text == "signal 10\nexecuted\n", "\(run.stderr.text)")
        #expect(run.end == .exited(7))
    }

    @Test(.needs("gcc")) func `a tracer cannot bring its child past the filter`() throws {
        #if arch(x86_64)
        let run = try run(
            """
            int main(void) {
                pid_t child = fork();
                if (child == 0) {
                    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
                    raise(SIGSTOP);
                    long result = syscall(SYS_getpid, 0x10000000);
                    _exit(result < 0 ? errno : 0);
                }
                int status;
                struct user_regs_struct registers;
                waitpid(child, &status, 0);
                for (;;) {
                    ptrace(PTRACE_SYSCALL, child, NULL, NULL);
                    waitpid(child, &status, 0);
                    if (WIFEXITED(status)) break;
                    ptrace(PTRACE_GETREGS, child, NULL, &registers);
                    // unshare(CLONE_NEWUSER) instead of getpid
                    if (registers.orig_rax != SYS_getpid || registers.rdi != 0x10000000) continue;
                    registers.orig_rax = SYS_unshare;
                    ptrace(PTRACE_SETREGS, child, NULL, &registers);
                }
                printf("%d\\n", WEXITSTATUS(status));
            }
            """
        )
        #expect(run.stdout.text == "1\n", "\(run.stderr.text)")
        #endif
    }

    @Test(.needs("gcc")) func `the leak checker finds leaks and passes correct programs`() throws {
        let program =
            "int main(int n, char **w) { char *p = malloc(10); p[0] = 1; if (n < 2) free(p); p = NULL; return 0; }"
        let correct = try run(program, flags: "-fsanitize=address")
        #expect(correct.end == .exited(0), "\(correct.stderr.text)")
        let leaking = try run(program.replacing("n < 2", with: "n > 2"), flags: "-fsanitize=address")
        #expect(leaking.end == .exited(1))
        #expect(leaking.stderr.text.contains("detected memory leaks"))
    }

    @Test(.needs("gcc"), .needs("gdb")) func `gdb shows a variable at a breakpoint`() throws {
        try withServer { server in
            let program = "int main(void) { int value = 41;\nvalue++;\nreturn value; }\n"
            let script = """
                gcc -g a.c -o a && gdb -batch -nx -ex 'break 3' -ex run -ex 'print value' -ex continue ./a 2>&1 | tail -2
                """
            let run = try server.run(["sh", "-c", script], ["files": ["a.c": program], "timeoutSeconds": 60])
            #expect(run.stdout.text.contains("$1 = 42\n"), "\(run.stdout.text)\(run.stderr.text)")
            #expect(run.stdout.text.contains("exited with code 052"))
        }
    }

    @Test(.needs("strace")) func `strace lists the calls of a command and of its children`() throws {
        try withServer { server in
            let run = try server.run(["strace", "-f", "-e", "trace=execve", "sh", "-c", "/bin/echo a; /bin/echo b"])
            #expect(run.end == .exited(0))
            #expect(run.stdout.text == "a\nb\n")
            #expect(run.stderr.text.split(separator: "\n").filter { $0.contains("execve(") }.count >= 3)
        }
    }

    @Test(.needs("gcc")) func `a command that a process of its own holds in a trace still ends at its timeout`() throws
    {
        let run = try run(
            """
            int main(void) {
                pid_t self = getpid();
                if (fork() == 0) {
                    ptrace(PTRACE_SEIZE, self, NULL, NULL);
                    for (;;) pause();
                }
                sleep(1);
                return 5;
            }
            """,
            ["timeoutSeconds": 5]
        )
        // The kernel tells the command's end to its tracer first, as on a host.
        #expect(run.outcome == "timed_out" || run.end == .exited(5))
    }
}
