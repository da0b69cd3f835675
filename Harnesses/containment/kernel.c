// Probes of kernel interfaces that are for administrators or that have often had vulnerabilities.
#define _GNU_SOURCE
#include "probe.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static int make_ring(const char *ignored) {
    (void)ignored;
    char parameters[120] = {0};
    return outcome(syscall(425 /* io_uring_setup */, 1, parameters));
}

static int make_map(const char *ignored) {
    (void)ignored;
    union bpf_attr attributes = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
    return outcome(syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof attributes));
}

// A filter that allows everything.
static struct sock_filter allow_all[] = {{.code = BPF_RET | BPF_K, .k = SECCOMP_RET_ALLOW}};
static struct sock_fprog filter_program = {.len = 1, .filter = allow_all};

static int install_filter(const char *ignored) {
    (void)ignored;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return errno;
    return outcome(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter_program));
}

static int install_filter_by_prctl(const char *ignored) {
    (void)ignored;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return errno;
    return outcome(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter_program));
}

// Strict mode ends the process at any other call, so each runs in a child.
static int enter_strict_mode(const char *which) {
    pid_t child = fork();
    if (child == 0) {
        long result = *which == 's' ? syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL)
                                    : prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
        // exit(2), because exit_group(2) is forbidden in strict mode.
        syscall(SYS_exit, result < 0 ? errno : 0);
    }
    int status;
    if (child < 0 || waitpid(child, &status, 0) < 0) return errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EPROTO;
}

static int attach_socket_filter(const char *option) {
    int file = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (file < 0) return errno;
    return outcome(setsockopt(file, SOL_SOCKET, atoi(option), &filter_program, sizeof filter_program));
}

static int count_events(const char *ignored) {
    (void)ignored;
    struct perf_event_attr attributes = {
        .type = PERF_TYPE_SOFTWARE, .size = sizeof attributes, .config = PERF_COUNT_SW_CPU_CLOCK
    };
    return outcome(syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0));
}

static int handle_faults(const char *ignored) {
    (void)ignored;
    return outcome(syscall(SYS_userfaultfd, O_CLOEXEC));
}

static int add_key(const char *ignored) {
    (void)ignored;
    return outcome(syscall(SYS_add_key, "user", "containment", "x", (size_t)1, -2 /* the process's keyring */));
}

static int find_keyring(const char *ignored) {
    (void)ignored;
    return outcome(syscall(SYS_keyctl, 0 /* KEYCTL_GET_KEYRING_ID */, -2, 1));
}

static int open_by_handle(const char *path) {
    union {
        struct file_handle handle;
        char space[sizeof(struct file_handle) + MAX_HANDLE_SZ];
    } found = {.handle.handle_bytes = MAX_HANDLE_SZ};
    int mount;
    if (name_to_handle_at(AT_FDCWD, path, &found.handle, &mount, 0) < 0) {
        // The root inode of an ext4 file system, whose handle is known without a query.
        found.handle.handle_bytes = 8;
        found.handle.handle_type = 1;
        memcpy(found.handle.f_handle, (uint32_t[]){2, 0}, 8);
    }
    int directory = open(path, O_RDONLY | O_DIRECTORY);
    return outcome(open_by_handle_at(directory, &found.handle, O_RDONLY));
}

static int watch_everything(const char *ignored) {
    (void)ignored;
    return outcome(fanotify_init(FAN_CLASS_CONTENT, O_RDONLY));
}

static int read_log(const char *ignored) {
    (void)ignored;
    return outcome(syscall(SYS_syslog, 10 /* SYSLOG_ACTION_SIZE_BUFFER */, NULL, 0));
}

static int set_name(const char *ignored) {
    (void)ignored;
    char name[256];
    if (gethostname(name, sizeof name) < 0) return errno;
    return outcome(sethostname(name, strlen(name)));
}

static int set_domain(const char *ignored) {
    (void)ignored;
    char name[256];
    if (getdomainname(name, sizeof name) < 0) return errno;
    return outcome(setdomainname(name, strlen(name)));
}

static int set_clock(const char *ignored) {
    (void)ignored;
    struct timex clock = {0};
    long tick = adjtimex(&clock) < 0 ? 10000 : clock.tick;
    clock = (struct timex){.modes = ADJ_TICK, .tick = tick};
    return outcome(adjtimex(&clock));
}

static int hang_up(const char *ignored) {
    (void)ignored;
    setsid();
    return outcome(vhangup());
}

static int secret_memory(const char *ignored) {
    (void)ignored;
    return outcome(syscall(447 /* memfd_secret */, 0));
}

static int type_into_terminal(const char *ignored) {
    (void)ignored;
    int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    if (terminal < 0) return errno;
    char letter = 'x';
    if (grantpt(terminal) < 0 || unlockpt(terminal) < 0) return errno;
    setsid();
    int other = open(ptsname(terminal), O_RDWR);
    return other < 0 ? errno : outcome(ioctl(other, TIOCSTI, &letter));
}

static int lease(const char *ignored) {
    (void)ignored;
    // A lease on a file of another user.
    int file = open("/usr/bin/tzselect", O_RDONLY);
    return file < 0 ? errno : outcome(fcntl(file, F_SETLEASE, F_RDLCK));
}

#if defined(__x86_64__)
static int see_local_table(const char *ignored) {
    (void)ignored;
    char table[16];
    return outcome(syscall(SYS_modify_ldt, 0, table, sizeof table));
}

static int reach_ports(const char *ignored) {
    (void)ignored;
    return outcome(syscall(SYS_ioperm, 0x80, 1, 1));
}

// Calls getpid(2) by its number in the 32-bit system call table.
static int call_as_i386(const char *ignored) {
    (void)ignored;
    long result = 20;
    __asm__ volatile("int $0x80" : "+a"(result) : : "r8", "r9", "r10", "r11", "memory");
    return result == getpid() ? 0 : REFUSED;
}

static int call_as_x32(const char *ignored) {
    (void)ignored;
    return syscall(0x40000000 | SYS_getpid) == getpid() ? 0 : errno;
}
#endif

static int be_persona(const char *persona) { return outcome(syscall(SYS_personality, strtoul(persona, NULL, 16))); }

static const struct probe probes[] = {
    {"kernel", "make an io_uring", make_ring, NULL},
    {"kernel", "make a bpf map", make_map, NULL},
    {"kernel", "install a system call filter", install_filter, NULL},
    {"kernel", "install a system call filter with prctl", install_filter_by_prctl, NULL},
    {"kernel", "enter strict mode with seccomp", enter_strict_mode, "s"},
    {"kernel", "enter strict mode with prctl", enter_strict_mode, "p"},
    {"kernel", "attach a filter to a socket", attach_socket_filter, "26"},
    {"kernel", "count perf events", count_events, NULL},
    {"kernel", "handle page faults", handle_faults, NULL},
    {"kernel", "add a key", add_key, NULL},
    {"kernel", "find a keyring", find_keyring, NULL},
    {"kernel", "open a file by its handle", open_by_handle, "/"},
    {"kernel", "watch everything", watch_everything, NULL},
    {"kernel", "read the kernel's log", read_log, NULL},
    {"kernel", "set the host's name", set_name, NULL},
    {"kernel", "set the domain's name", set_domain, NULL},
    {"kernel", "set the clock", set_clock, NULL},
    {"kernel", "hang up", hang_up, NULL},
    {"kernel", "make secret memory", secret_memory, NULL},
    {"kernel", "type into a terminal", type_into_terminal, NULL},
    {"kernel", "lease a file of /usr", lease, NULL},
    {"kernel", "run what can be read", be_persona, "400000"},
#if defined(__x86_64__)
    {"kernel", "see the local descriptor table", see_local_table, NULL},
    {"kernel", "reach ports", reach_ports, NULL},
    {"kernel", "call as an i386 program", call_as_i386, NULL},
    {"kernel", "call as an x32 program", call_as_x32, NULL},
#endif
};

struct probes kernel_probes(void) { return PROBES(probes); }
