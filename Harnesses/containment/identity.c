// Probes that become another user or gain privileges.
#define _GNU_SOURCE
#include "probe.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

// MARK: Users

static int become_root(const char *ignored) {
    (void)ignored;
    return outcome(setresuid(0, 0, 0));
}

static int become_root_group(const char *ignored) {
    (void)ignored;
    return outcome(setresgid(0, 0, 0));
}

static int join_group(const char *ignored) {
    (void)ignored;
    gid_t root = 0;
    return outcome(setgroups(1, &root));
}

static int give_away(const char *ignored) {
    (void)ignored;
    close(open("given", O_WRONLY | O_CREAT, 0600));
    int result = outcome(chown("given", 12345, 12345));
    unlink("given");
    return result;
}

// Changes to a user that is not root.
static void become_ordinary(void) {
    if (geteuid() != 0) return;
    if (setgroups(0, NULL) < 0 || setresgid(12345, 12345, 12345) < 0 || setresuid(12345, 12345, 12345) < 0) _exit(2);
}

static uid_t effective_user(pid_t pid) {
    char path[64], line[256];
    unsigned real, effective = 1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file) return 1;
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "Uid: %u %u", &real, &effective) == 2) break;
    fclose(file);
    return effective;
}

// Returns whether a set-uid program runs as root. The program waits for a password that never comes.
static int run_as_root(char *const arguments[]) {
    int input[2];
    if (pipe(input) < 0) return errno;
    pid_t child = fork();
    if (child < 0) return errno;
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(input[0], 0), dup2(null, 1), dup2(null, 2);
        close(input[1]);
        become_ordinary();
        execv(arguments[0], arguments);
        _exit(127);
    }
    int result = REFUSED;
    for (int i = 0; i < 300 && result; i++) {
        if (effective_user(child) == 0) {
            // Outside, the child is still root until the program itself runs.
            char path[64], name[32] = {0};
            snprintf(path, sizeof path, "/proc/%d/comm", (int)child);
            FILE *file = fopen(path, "re");
            if (file && fgets(name, sizeof name, file)) name[strcspn(name, "\n")] = '\0';
            if (file) fclose(file);
            if (!strcmp(name, strrchr(arguments[0], '/') + 1)) result = 0;
        }
        if (waitpid(child, NULL, WNOHANG) == child) return result;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return result;
}

static int run_su(const char *path) { return run_as_root((char *const[]){(char *)(uintptr_t)path, NULL}); }

// Makes a set-uid copy of a program and tests whether the copy runs as root.
static int run_copy(const char *source) {
    char buffer[65536], path[PATH_MAX];
    int from = open(source, O_RDONLY), to = open("copy", O_WRONLY | O_CREAT | O_TRUNC, 0700);
    if (from < 0 || to < 0) return errno;
    for (ssize_t count; (count = read(from, buffer, sizeof buffer)) > 0;)
        if (write(to, buffer, (size_t)count) != count) return errno;
    close(from);
    if (fchmod(to, 04755) < 0) return errno;
    close(to);
    if (!realpath("copy", path)) return errno;
    int result = run_as_root((char *const[]){path, "600", NULL});
    unlink("copy");
    return result;
}

// MARK: Capabilities

static int capabilities(bool get, struct __user_cap_data_struct data[2]) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    return (int)syscall(get ? SYS_capget : SYS_capset, &header, data);
}

static int hold_capability(const char *ignored) {
    (void)ignored;
    struct __user_cap_data_struct data[2];
    if (capabilities(true, data) < 0) return errno;
    return data[0].effective | data[0].permitted | data[0].inheritable | data[1].effective | data[1].permitted
        ? 0
        : REFUSED;
}

// Setting the present capabilities is always allowed, so this requests one more.
static int take_capability(const char *ignored) {
    (void)ignored;
    struct __user_cap_data_struct data[2];
    if (capabilities(true, data) < 0) return errno;
    data[0].effective = data[0].permitted |= 1u << CAP_SYS_ADMIN;
    return outcome(capabilities(false, data));
}

static int bounding_set(const char *ignored) {
    (void)ignored;
    for (int capability = 0; capability < 64; capability++)
        if (prctl(PR_CAPBSET_READ, capability) == 1) return 0;
    return REFUSED;
}

static int raise_ambient(const char *ignored) {
    (void)ignored;
    struct __user_cap_data_struct data[2];
    if (capabilities(true, data) < 0) return errno;
    data[0].inheritable = data[0].permitted;
    capabilities(false, data);
    return outcome(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0));
}

static int set_secure_bits(const char *ignored) {
    (void)ignored;
    return outcome(prctl(PR_SET_SECUREBITS, prctl(PR_GET_SECUREBITS)));
}

static int may_gain(const char *ignored) {
    (void)ignored;
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0 ? 0 : REFUSED;
}

static int give_file_capability(const char *ignored) {
    (void)ignored;
    struct vfs_cap_data data = {.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE};
    data.data[0].permitted = 1u << CAP_SYS_ADMIN;
    close(open("capable", O_WRONLY | O_CREAT, 0700));
    int result = outcome(setxattr("capable", "security.capability", &data, XATTR_CAPS_SZ_2, 0));
    unlink("capable");
    return result;
}

static int set_trusted_attribute(const char *ignored) {
    (void)ignored;
    close(open("trusted", O_WRONLY | O_CREAT, 0700));
    int result = outcome(setxattr("trusted", "trusted.containment", "x", 1, 0));
    unlink("trusted");
    return result;
}

// MARK: Limits and priorities

static int raise_limit(const char *number) {
    struct rlimit limit;
    int resource = atoi(number);
    if (getrlimit((__rlimit_resource_t)resource, &limit) < 0) return errno;
    if (limit.rlim_max == RLIM_INFINITY || resource == RLIMIT_NOFILE) {
        limit = (struct rlimit){32, 32};
        if (setrlimit((__rlimit_resource_t)resource, &limit) < 0) return errno;
    }
    limit.rlim_max++;
    return outcome(setrlimit((__rlimit_resource_t)resource, &limit));
}

static int raise_priority(const char *ignored) {
    (void)ignored;
    return outcome(setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) - 1));
}

static int schedule_realtime(const char *policy) {
    struct sched_param parameter = {.sched_priority = 1};
    return outcome(sched_setscheduler(0, atoi(policy), &parameter));
}

static int input_output_realtime(const char *ignored) {
    (void)ignored;
    return outcome(syscall(SYS_ioprio_set, 1, 0, (1 << 13) | 4));
}

static int lower_oom_score(const char *ignored) {
    (void)ignored;
    char text[16] = {0}, lower[32];
    int file = open("/proc/self/oom_score_adj", O_RDWR);
    if (file < 0) return errno;
    if (read(file, text, sizeof text - 1) < 0) return errno;
    int length = snprintf(lower, sizeof lower, "%d", atoi(text) - 1);
    return outcome(pwrite(file, lower, (size_t)length, 0));
}

static int lock_memory(const char *ignored) {
    (void)ignored;
    size_t size = 16 << 20;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? errno : outcome(mlock(memory, size));
}

static int dump_core(const char *ignored) {
    (void)ignored;
    pid_t child = fork();
    if (child == 0) {
        struct rlimit most;
        getrlimit(RLIMIT_CORE, &most);
        most.rlim_cur = most.rlim_max;
        setrlimit(RLIMIT_CORE, &most);
        prctl(PR_SET_DUMPABLE, 1);
        abort();
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) && WCOREDUMP(status) ? 0 : REFUSED;
}

static const struct probe probes[] = {
    {"identity", "become root", become_root, NULL},
    {"identity", "become root's group", become_root_group, NULL},
    {"identity", "join a group", join_group, NULL},
    {"identity", "give a file away", give_away, NULL},
    {"identity", "have su run as root", run_su, "/usr/bin/su"},
    {"identity", "have a set-uid copy run as root", run_copy, "/usr/bin/sleep"},
    {"identity", "hold a capability", hold_capability, NULL},
    {"identity", "take a capability", take_capability, NULL},
    {"identity", "have a capability in the bounding set", bounding_set, NULL},
    {"identity", "raise an ambient capability", raise_ambient, NULL},
    {"identity", "set the secure bits", set_secure_bits, NULL},
    {"identity", "be without no_new_privs", may_gain, NULL},
    {"identity", "give a file a capability", give_file_capability, NULL},
    {"identity", "set a trusted attribute", set_trusted_attribute, NULL},
    {"limits", "raise the limit of core files", raise_limit, "4"},
    {"limits", "raise the limit of processor time", raise_limit, "0"},
    {"limits", "raise the limit of a file's size", raise_limit, "1"},
    {"limits", "raise the limit of processes", raise_limit, "6"},
    {"limits", "raise the limit of descriptors", raise_limit, "7"},
    {"limits", "raise the limit of locked memory", raise_limit, "8"},
    {"limits", "raise the limit of queued signals", raise_limit, "11"},
    {"limits", "raise the limit of message queues", raise_limit, "12"},
    {"limits", "raise the limit of niceness", raise_limit, "13"},
    {"limits", "raise the limit of realtime priority", raise_limit, "14"},
    {"limits", "raise one's priority", raise_priority, NULL},
    {"limits", "run in real time, first come first served", schedule_realtime, "1"},
    {"limits", "run in real time, in turns", schedule_realtime, "2"},
    {"limits", "read and write in real time", input_output_realtime, NULL},
    {"limits", "lower one's oom_score_adj", lower_oom_score, NULL},
    {"limits", "lock much memory", lock_memory, NULL},
    {"limits", "dump core", dump_core, NULL},
};

struct probes identity_probes(void) { return PROBES(probes); }
