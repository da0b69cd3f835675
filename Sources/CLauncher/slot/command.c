#include "command.h"

#include <limits.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

// glibc's clone(2), under the name that sanitizers do not intercept.
extern int __clone(int (*function)(void *), void *stack, int flags, void *argument, ...);

// Room for two paths of PATH_MAX and the stack frames of the calls.
enum { STACK_BYTES = 64 * 1024 };

static void fail(struct sandglass_prepared_command *command, enum sandglass_step step, int32_t index, int error) {
    command->failure.step = step;
    command->failure.index = index;
    command->failure.error = error;
}

static int setup_session(void) {
    // A new session has no terminal and shares no process group. The umask is the one that users expect, whatever the
    // server's umask is.
    umask(022);
    return setsid() < 0 ? -1 : 0;
}

static int setup_signals(void) {
    // Dispositions have been the defaults since the launcher started. Only the signals that the slot blocks remain to
    // be unblocked.
    uint64_t none = 0;
    return (int)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof none);
}

static int setup_streams(const struct sandglass_prepared_command *command) {
    for (int i = 0; i < 3; i++)
        if (dup2(command->streams[i], i) < 0) return -1;
    return (int)syscall(SYS_close_range, 3, ~0u, 0);
}

static int lower_limit(int resource, uint64_t value, bool hard) {
    struct rlimit limit;
    if (getrlimit(resource, &limit) < 0) return -1;
    limit.rlim_cur = value < limit.rlim_max ? value : limit.rlim_max;
    if (hard) limit.rlim_max = limit.rlim_cur;
    return setrlimit(resource, &limit);
}

// The limit counts all processes of the user, and the slot is one of them.
static int limit_processes(const struct sandglass_prepared_command *command) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NPROC, &limit) < 0) return -1;
    // The group limits the run. Where the launcher may not remove the limit of its own session, the shell still shows
    // one that belongs to the run.
    if (command->has_process_group && limit.rlim_max == RLIM_INFINITY) return 0;
    return lower_limit(RLIMIT_NPROC, command->processes + 1, true);
}

// There is no limit on the size of a file (RLIMIT_FSIZE): it would count the holes of sparse files and of memfds, and
// end a process by a signal. The file system and the memory limit bound what a file may use.
static int setup_limits(const struct sandglass_prepared_command *command) {
    if (lower_limit(RLIMIT_CORE, 0, true) < 0) return -1;
    if (lower_limit(RLIMIT_NOFILE, command->open_files, true) < 0) return -1;
    if (limit_processes(command) < 0) return -1;
    if (command->cpu_seconds != NO_RESOURCE_LIMIT) {
        // SIGXCPU comes first. A process that ignores it gets SIGKILL one second later (setrlimit(2)).
        if (lower_limit(RLIMIT_CPU, command->cpu_seconds + 1, true) < 0) return -1;
        if (lower_limit(RLIMIT_CPU, command->cpu_seconds, false) < 0) return -1;
    }
    if (lower_limit(RLIMIT_MEMLOCK, 64 * 1024, true) < 0) return -1;
    // The space for arguments is a quarter of this limit, and 6 MiB at most (execve(2)). A command may raise it, as on a
    // host: the memory limit bounds all stacks.
    if (lower_limit(RLIMIT_STACK, command->stack_bytes, false) < 0) return -1;
    return setpriority(PRIO_PROCESS, 0, command->nice);
}

// execvpe(3) without its fallback to a shell: a file that the kernel cannot run gives ENOEXEC.
static int exec_by_name(struct sandglass_prepared_command *command) {
    const char *name = command->arguments[0];
    if (strchr(name, '/')) return execve(name, command->arguments, command->environment);

    char candidate[PATH_MAX];
    size_t name_length = strlen(name);
    bool denied = false;
    const char *directory = command->path;
    for (;;) {
        const char *end = strchrnul(directory, ':');
        size_t length = (size_t)(end - directory);
        if (length + 1 + name_length < sizeof candidate) {
            char *at = candidate;
            if (length > 0) {
                memcpy(at, directory, length);
                at += length;
                *at++ = '/';
            }
            memcpy(at, name, name_length + 1);
            execve(candidate, command->arguments, command->environment);
            if (errno == EACCES) denied = true;
            else if (errno != ENOENT && errno != ENOTDIR) return -1;
        }
        if (*end == '\0') break;
        directory = end + 1;
    }
    errno = denied ? EACCES : ENOENT;
    return -1;
}

// The child process. It shares the slot's memory, and the slot is suspended until the child execs or exits.
static int run_child(void *argument) {
    struct sandglass_prepared_command *command = argument;
    enum sandglass_step step;
    if (setup_session() < 0 || setup_signals() < 0) step = SANDGLASS_STEP_FORK;
    else if (setup_streams(command) < 0) step = SANDGLASS_STEP_STANDARD_STREAMS;
    else if (setup_limits(command) < 0) step = SANDGLASS_STEP_LIMITS;
    else if (chdir(command->working_directory) < 0) step = SANDGLASS_STEP_WORKING_DIRECTORY;
    else {
        command->started_nanoseconds = sandglass_monotonic_nanoseconds();
        exec_by_name(command);
        step = SANDGLASS_STEP_EXEC;
    }
    fail(command, step, -1, errno);
    _exit(127);
}

// Async-signal-safe.
pid_t sandglass_command_start(struct sandglass_prepared_command *command) {
    // Memory on the slot's own stack that the slot itself does not use. Without it, the slot would return to frames
    // that its child has overwritten.
    char stack[STACK_BYTES] __attribute__((aligned(16)));
    fail(command, SANDGLASS_STEP_NONE, -1, 0);
    pid_t child = __clone(run_child, stack + STACK_BYTES, CLONE_VM | CLONE_VFORK | SIGCHLD, command);
    if (child < 0) {
        fail(command, SANDGLASS_STEP_FORK, -1, errno);
        return -1;
    }
    if (command->failure.step == SANDGLASS_STEP_NONE) return child;
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
    return -1;
}
