// Probes that make namespaces or join those of other processes.
#define _GNU_SOURCE
#include "probe.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int try_unshare(const char *flag) { return outcome(unshare((int)strtoul(flag, NULL, 16))); }

static int reap(pid_t child) {
    if (child < 0) return errno;
    waitpid(child, NULL, __WALL);
    return 0;
}

static int try_clone(const char *flag) {
    pid_t child = (pid_t)syscall(SYS_clone, strtoul(flag, NULL, 16) | SIGCHLD, NULL, NULL, NULL, 0);
    if (child == 0) _exit(0);
    return reap(child);
}

static int try_clone3(const char *flag) {
    struct clone_args args = {.flags = strtoul(flag, NULL, 16), .exit_signal = SIGCHLD};
    pid_t child = (pid_t)syscall(SYS_clone3, &args, sizeof args);
    if (child == 0) _exit(0);
    return reap(child);
}

// Joins the process's own namespace, so that only the privilege matters.
static int join(const char *name) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/ns/%s", name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return errno;
    return outcome(setns(file, 0));
}

static int join_by_process(const char *flag) {
    int process = (int)syscall(SYS_pidfd_open, context.process, 0);
    if (process < 0) return errno;
    return outcome(setns(process, (int)strtoul(flag, NULL, 16)));
}

#define EACH(VERB, FUNCTION)                                                                                           \
    {"namespaces", VERB " a user namespace", FUNCTION, "10000000"},                                                    \
        {"namespaces", VERB " a mount namespace", FUNCTION, "20000"},                                                  \
        {"namespaces", VERB " a pid namespace", FUNCTION, "20000000"},                                                 \
        {"namespaces", VERB " a network namespace", FUNCTION, "40000000"},                                             \
        {"namespaces", VERB " an ipc namespace", FUNCTION, "8000000"},                                                 \
        {"namespaces", VERB " a uts namespace", FUNCTION, "4000000"},                                                  \
        {"namespaces", VERB " a cgroup namespace", FUNCTION, "2000000"}

static const struct probe probes[] = {
    EACH("unshare", try_unshare),
    {"namespaces", "unshare a time namespace", try_unshare, "80"},
    EACH("clone", try_clone),
    EACH("clone3", try_clone3),
    {"namespaces", "clone3 a time namespace", try_clone3, "80"},
    {"namespaces", "join a mount namespace", join, "mnt"},
    {"namespaces", "join a pid namespace", join, "pid"},
    {"namespaces", "join a network namespace", join, "net"},
    {"namespaces", "join an ipc namespace", join, "ipc"},
    {"namespaces", "join a uts namespace", join, "uts"},
    {"namespaces", "join a cgroup namespace", join, "cgroup"},
    {"namespaces", "join a time namespace", join, "time"},
    {"namespaces", "join another process's mount namespace", join_by_process, "20000"},
    {"namespaces", "join another process's network namespace", join_by_process, "40000000"},
};

struct probes namespace_probes(void) { return PROBES(probes); }
