// Probes that inspect, change or kill other processes. Inside, the other process is the slot.
#define _GNU_SOURCE
#include "probe.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *file_of(const char *name) {
    static char path[PATH_MAX];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)context.process, name);
    return path;
}

static int read_of(const char *name) {
    char byte;
    int file = open(file_of(name), O_RDONLY | O_CLOEXEC);
    if (file < 0) return errno;
    ssize_t count = read(file, &byte, 1);
    // A directory can be opened but not read.
    return count > 0 || (count < 0 && errno == EISDIR) ? 0 : count < 0 ? errno : REFUSED;
}

static int open_of(const char *name) { return outcome(open(file_of(name), O_RDONLY | O_CLOEXEC)); }
static int write_of(const char *name) { return outcome(open(file_of(name), O_WRONLY | O_CLOEXEC)); }

static int link_of(const char *name) {
    char target[PATH_MAX];
    return outcome(readlink(file_of(name), target, sizeof target));
}

static int list_of(const char *name) {
    DIR *directory = opendir(file_of(name));
    return directory ? 0 : errno;
}

// MARK: Tracing

static int attach(const char *ignored) {
    (void)ignored;
    if (ptrace(PTRACE_ATTACH, context.process, NULL, NULL) < 0) return errno;
    waitpid(context.process, NULL, __WALL);
    ptrace(PTRACE_DETACH, context.process, NULL, NULL);
    return 0;
}

static int seize(const char *ignored) {
    (void)ignored;
    return outcome(ptrace(PTRACE_SEIZE, context.process, NULL, NULL));
}

static uintptr_t some_address(void) {
    unsigned long address = 0x400000;
    FILE *maps = fopen(file_of("maps"), "re");
    if (!maps) return address;
    char line[PATH_MAX], rights[8];
    while (fgets(line, sizeof line, maps))
        if (sscanf(line, "%lx-%*x %7s", &address, rights) == 2 && rights[0] == 'r' && rights[1] == 'w') break;
    fclose(maps);
    return address;
}

static long copy(char *byte, long number) {
    struct iovec own = {byte, 1}, other = {(void *)some_address(), 1};
    return syscall(number, context.process, &own, 1, &other, 1, 0);
}

static int read_memory(const char *ignored) {
    (void)ignored;
    char byte = 0;
    return outcome(copy(&byte, SYS_process_vm_readv));
}

// Writes back the present bytes.
static int write_memory(const char *ignored) {
    (void)ignored;
    char byte = 0;
    if (copy(&byte, SYS_process_vm_readv) < 0) byte = 0;
    return outcome(copy(&byte, SYS_process_vm_writev));
}

static int take_descriptor(const char *ignored) {
    (void)ignored;
    int process = (int)syscall(SYS_pidfd_open, context.process, 0);
    if (process < 0) return errno;
    return outcome(syscall(SYS_pidfd_getfd, process, 0, 0));
}

static int compare(const char *ignored) {
    (void)ignored;
    return outcome(syscall(SYS_kcmp, getpid(), context.process, 2 /* KCMP_FILES */, 0, 0));
}

// MARK: Changing

static int slow_down(const char *ignored) {
    (void)ignored;
    return outcome(setpriority(PRIO_PROCESS, (id_t)context.process, getpriority(PRIO_PROCESS, (id_t)context.process)));
}

static int pin(const char *ignored) {
    (void)ignored;
    cpu_set_t set;
    if (sched_getaffinity(context.process, sizeof set, &set) < 0) return errno;
    return outcome(sched_setaffinity(context.process, sizeof set, &set));
}

static int schedule(const char *ignored) {
    (void)ignored;
    struct sched_param parameter = {0};
    return outcome(sched_setscheduler(context.process, SCHED_OTHER, &parameter));
}

static int limit(const char *ignored) {
    (void)ignored;
    struct rlimit now;
    if (prlimit(context.process, RLIMIT_NOFILE, NULL, &now) < 0) now = (struct rlimit){0, 0};
    return outcome(prlimit(context.process, RLIMIT_NOFILE, &now, NULL));
}

static int set_io_priority(const char *ignored) {
    (void)ignored;
    return outcome(syscall(SYS_ioprio_set, 1, context.process, (2 << 13) | 4));
}

static int move_memory(const char *ignored) {
    (void)ignored;
    unsigned long node = 1;
    return outcome(syscall(SYS_migrate_pages, context.process, 8 * sizeof node, &node, &node));
}

// MARK: Signals

static char state(void) {
    char line[512] = {0};
    FILE *file = fopen(file_of("stat"), "re");
    if (!file) return 0;
    size_t count = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    char *end = count > 0 ? strrchr(line, ')') : NULL;
    return end ? end[2] : 0;
}

// The kernel acts on a signal shortly after kill(2) has returned.
static bool becomes(const char *states) {
    for (int i = 0; i < 300; i++) {
        char now = state();
        if (strchr(states, now)) return true;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return false;
}

static int stop(const char *ignored) {
    (void)ignored;
    if (kill(context.process, SIGSTOP) < 0) return errno;
    bool stopped = becomes("T");
    kill(context.process, SIGCONT);
    return stopped ? 0 : REFUSED;
}

static int stop_by_descriptor(const char *ignored) {
    (void)ignored;
    int process = (int)syscall(SYS_pidfd_open, context.process, 0);
    if (process < 0 || syscall(SYS_pidfd_send_signal, process, SIGSTOP, NULL, 0) < 0) return errno;
    bool stopped = becomes("T");
    kill(context.process, SIGCONT);
    return stopped ? 0 : REFUSED;
}

static int stop_thread(const char *ignored) {
    (void)ignored;
    if (syscall(SYS_tgkill, context.process, context.process, SIGSTOP) < 0) return errno;
    bool stopped = becomes("T");
    kill(context.process, SIGCONT);
    return stopped ? 0 : REFUSED;
}

static int end(const char *ignored) {
    (void)ignored;
    for (int signal = 1; signal <= SIGRTMAX; signal++) kill(context.process, signal == SIGSTOP ? SIGKILL : signal);
    return becomes("ZX") || state() == 0 ? 0 : REFUSED;
}

static const struct probe probes[] = {
    {"processes", "read another's environment", read_of, "environ"},
    {"processes", "read another's mappings", read_of, "maps"},
    {"processes", "read another's auxiliary vector", read_of, "auxv"},
    {"processes", "read another's kernel stack", read_of, "stack"},
    {"processes", "read another's system call", read_of, "syscall"},
    {"processes", "read another's input and output counts", read_of, "io"},
    {"processes", "open another's memory", open_of, "mem"},
    {"processes", "open another's page map", open_of, "pagemap"},
    {"processes", "open another's program", open_of, "exe"},
    {"processes", "open another's root", open_of, "root"},
    {"processes", "open a file above another's root", open_of, "root/../etc/shadow"},
    {"processes", "open another's current directory", open_of, "cwd"},
    {"processes", "open another's namespace", open_of, "ns/mnt"},
    {"processes", "open another's standard input", open_of, "fd/0"},
    {"processes", "list another's descriptors", list_of, "fd"},
    {"processes", "list another's mapped files", list_of, "map_files"},
    {"processes", "read the path of another's program", link_of, "exe"},
    {"processes", "read the path of another's current directory", link_of, "cwd"},
    {"processes", "open another's memory to write", write_of, "mem"},
    {"processes", "open another's oom_score_adj to write", write_of, "oom_score_adj"},
    {"processes", "open another's coredump_filter to write", write_of, "coredump_filter"},
    {"processes", "attach to another", attach, NULL},
    {"processes", "seize another", seize, NULL},
    {"processes", "read another's memory", read_memory, NULL},
    {"processes", "write another's memory", write_memory, NULL},
    {"processes", "take another's descriptor", take_descriptor, NULL},
    {"processes", "compare another with oneself", compare, NULL},
    {"processes", "change another's priority", slow_down, NULL},
    {"processes", "change another's processors", pin, NULL},
    {"processes", "change another's scheduling", schedule, NULL},
    {"processes", "change another's limits", limit, NULL},
    {"processes", "change another's priority of input and output", set_io_priority, NULL},
    {"processes", "move another's memory", move_memory, NULL},
    {"processes", "stop another", stop, NULL},
    {"processes", "stop another by a descriptor", stop_by_descriptor, NULL},
    {"processes", "stop another's thread", stop_thread, NULL},
    // Must be the last one, because outside it succeeds.
    {"processes", "end another", end, NULL},
};

struct probes process_probes(void) { return PROBES(probes); }
