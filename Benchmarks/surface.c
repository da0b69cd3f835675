// Measures the reachable part of the kernel. Tries system calls, socket families and foreign ABIs that commands
// seldom need, each in a process of its own.
//
//     surface
//
// Prints one line each: its name, and the errno, the signal, or `ok`. A part is unreachable if the result is ENOSYS,
// EPERM, EACCES or EAFNOSUPPORT, or if the process is killed. Successful calls change nothing, because they set
// present values.
#define _GNU_SOURCE
#include "measure.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

// Numbers that older headers lack. They are the same on every processor.
enum {
    IO_URING_SETUP = 425,
    OPEN_TREE = 428,
    FSOPEN = 430,
    CLONE3 = 435,
    PIDFD_OPEN = 434,
    PIDFD_GETFD = 438,
    LANDLOCK_CREATE_RULESET = 444,
    MEMFD_SECRET = 447
};
enum { KEYRING = -2, TIMEOUT_SECONDS = 5 };

static char space[65536] __attribute__((aligned(4096)));
static struct iovec own = {space, 1}, other = {space, 1};

// MARK: System calls

static long io_uring(void) { return syscall(IO_URING_SETUP, 1, space); }
static long bpf(void) {
    union bpf_attr a = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
    return syscall(SYS_bpf, BPF_MAP_CREATE, &a, sizeof a);
}
static long perf(void) {
    struct perf_event_attr a = {.type = PERF_TYPE_SOFTWARE, .size = sizeof a, .exclude_kernel = 1};
    return syscall(SYS_perf_event_open, &a, 0, -1, -1, 0);
}
static long faults(void) { return syscall(SYS_userfaultfd, 1 /* UFFD_USER_MODE_ONLY */); }
static long add_key(void) { return syscall(SYS_add_key, "user", "surface", "x", (size_t)1, KEYRING); }
static long request_key(void) { return syscall(SYS_request_key, "user", "surface", NULL, KEYRING); }
static long keyctl(void) { return syscall(SYS_keyctl, 0, KEYRING, 1); }
static long trace(void) { return ptrace(PTRACE_SEIZE, getppid(), NULL, NULL); }
static long read_other(void) { return syscall(SYS_process_vm_readv, getppid(), &own, 1, &other, 1, 0); }
static long write_other(void) { return syscall(SYS_process_vm_writev, getppid(), &own, 1, &other, 1, 0); }
static long compare(void) { return syscall(SYS_kcmp, getpid(), getppid(), 2, 0, 0); }
static long take_descriptor(void) {
    int process = (int)syscall(PIDFD_OPEN, getppid(), 0);
    return process < 0 ? process : syscall(PIDFD_GETFD, process, 1, 0);
}
static long mount_old(void) { return syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL); }
static long mount_new(void) { return syscall(FSOPEN, "tmpfs", 0); }
static long mount_tree(void) { return syscall(OPEN_TREE, AT_FDCWD, "/", 0); }
static long pivot(void) { return syscall(SYS_pivot_root, "/tmp", "/tmp"); }
static long change_root(void) { return chroot("/"); }
static long new_namespace(void) { return unshare(CLONE_NEWUSER); }
static long new_process(void) {
    struct {
        uint64_t flags, words[10];
    } a = {.words = {[3] = SIGCHLD}};
    long pid = syscall(CLONE3, &a, 64);
    if (pid == 0) _exit(0);
    return pid;
}
static long join_namespace(void) { return setns(open("/proc/self/ns/uts", O_RDONLY), 0); }
static long name_to_handle(void) {
    struct file_handle *handle = (void *)space;
    int mount;
    handle->handle_bytes = MAX_HANDLE_SZ;
    return name_to_handle_at(AT_FDCWD, "/", handle, &mount, 0);
}
static long open_handle(void) {
    struct file_handle *handle = (void *)space;
    handle->handle_bytes = 8;
    handle->handle_type = 1;
    return open_by_handle_at(open("/", O_RDONLY), handle, O_RDONLY);
}
static long fanotify(void) { return fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_FID, O_RDONLY); }
static long inotify(void) { return inotify_init1(0); }
static long secret(void) { return syscall(MEMFD_SECRET, 0); }
static long persona(void) { return syscall(SYS_personality, 0x0400000 /* READ_IMPLIES_EXEC */); }
static long load_kernel(void) { return syscall(SYS_kexec_load, 0, 17, NULL, 0); }
static long load_module(void) { return syscall(SYS_init_module, space, 0, ""); }
static long quota(void) { return syscall(SYS_quotactl, 0x800005 << 8, "/", 0, space); }
static long account(void) { return syscall(SYS_acct, "/nonexistent"); }
static long swap(void) { return syscall(SYS_swapon, "/nonexistent", 0); }
static long kernel_log(void) { return syscall(SYS_syslog, 10, NULL, 0); }
static long landlock(void) { return syscall(LANDLOCK_CREATE_RULESET, NULL, 0, 1); }
static long filter(void) {
    uint32_t action = 0x7fff0000;
    return syscall(SYS_seccomp, 2, 0, &action);
}
static long key_of_memory(void) { return syscall(SYS_pkey_alloc, 0, 0); }
static long bind_memory(void) { return syscall(SYS_mbind, space, 4096, 0, NULL, 0, 0); }
static long move_pages(void) {
    void *page = space;
    int status;
    return syscall(SYS_move_pages, 0, 1, &page, NULL, &status, 0);
}
static long remap(void) { return syscall(SYS_remap_file_pages, space, 4096, 0, 0, 0); }
static long give_pages(void) {
    int ends[2];
    return pipe(ends) < 0 ? -1 : vmsplice(ends[1], &own, 1, 0);
}
static long splice_pages(void) {
    int ends[2], null = open("/dev/null", O_WRONLY);
    return pipe(ends) < 0 || write(ends[1], "x", 1) != 1 ? -1 : splice(ends[0], NULL, null, NULL, 1, 0);
}
static long set_time(void) { return syscall(SYS_settimeofday, NULL, &(struct timezone){0}); }
static long set_clock(void) {
    struct timex clock = {.modes = ADJ_TICK, .tick = 10000};
    return adjtimex(&clock);
}
static long set_name(void) { return sethostname("sandglass", 9); }
static long hang_up(void) { return vhangup(); }

// MARK: Socket families

static long vsock(void) { return socket(40, SOCK_STREAM, 0); }
static long netlink_routes(void) { return socket(AF_NETLINK, SOCK_RAW, 0); }
static long netlink_generic(void) { return socket(AF_NETLINK, SOCK_RAW, 16); }
static long packet(void) { return socket(AF_PACKET, SOCK_DGRAM, 0); }
static long raw(void) { return socket(AF_INET, SOCK_RAW, 1); }
static long ciphers(void) { return socket(38, SOCK_SEQPACKET, 0); }
static long multiplexor(void) { return socket(41, SOCK_DGRAM, 0); }
static long rds(void) { return socket(21, SOCK_SEQPACKET, 0); }
static long tipc(void) { return socket(30, SOCK_STREAM, 0); }

// MARK: Specific to this processor

#if defined(__x86_64__)
static long local_table(void) { return syscall(SYS_modify_ldt, 0, space, 16); }
static long ports(void) { return syscall(SYS_ioperm, 0x80, 1, 1); }
static long i386(void) {
    long result = 20; // getpid
    __asm__ volatile("int $0x80" : "+a"(result) : : "r8", "r9", "r10", "r11", "memory");
    return result;
}
static long x32(void) { return syscall(0x40000000 | SYS_getpid); }
#endif

static const struct {
    const char *name;
    long (*call)(void);
} probes[] = {
    {"io_uring_setup", io_uring},
    {"bpf", bpf},
    {"perf_event_open", perf},
    {"userfaultfd", faults},
    {"add_key", add_key},
    {"request_key", request_key},
    {"keyctl", keyctl},
    {"ptrace", trace},
    {"process_vm_readv", read_other},
    {"process_vm_writev", write_other},
    {"kcmp", compare},
    {"pidfd_getfd", take_descriptor},
    {"mount", mount_old},
    {"fsopen", mount_new},
    {"open_tree", mount_tree},
    {"pivot_root", pivot},
    {"chroot", change_root},
    {"unshare", new_namespace},
    {"clone3", new_process},
    {"setns", join_namespace},
    {"name_to_handle_at", name_to_handle},
    {"open_by_handle_at", open_handle},
    {"fanotify_init", fanotify},
    {"inotify_init1", inotify},
    {"memfd_secret", secret},
    {"personality", persona},
    {"kexec_load", load_kernel},
    {"init_module", load_module},
    {"quotactl", quota},
    {"acct", account},
    {"swapon", swap},
    {"syslog", kernel_log},
    {"landlock_create_ruleset", landlock},
    {"seccomp", filter},
    {"pkey_alloc", key_of_memory},
    {"mbind", bind_memory},
    {"move_pages", move_pages},
    {"remap_file_pages", remap},
    {"vmsplice", give_pages},
    {"splice", splice_pages},
    {"settimeofday", set_time},
    {"adjtimex", set_clock},
    {"sethostname", set_name},
    {"vhangup", hang_up},
    {"AF_VSOCK", vsock},
    {"AF_NETLINK_routes", netlink_routes},
    {"AF_NETLINK_generic", netlink_generic},
    {"AF_PACKET", packet},
    {"SOCK_RAW", raw},
    {"AF_ALG", ciphers},
    {"AF_KCM", multiplexor},
    {"AF_RDS", rds},
    {"AF_TIPC", tipc},
#if defined(__x86_64__)
    {"modify_ldt", local_table},
    {"ioperm", ports},
    {"i386", i386},
    {"x32", x32},
#endif
};

// The child reports through a shared page, because some calls would leave it no pipe to write to.
static void try(const char *name, long (*call)(void), volatile int *result) {
    fflush(stdout);
    *result = -1;
    pid_t child = fork();
    if (child < 0) fail("fork");
    if (child == 0) {
        alarm(TIMEOUT_SECONDS);
        long returned = call();
        *result = returned >= 0 ? 0 : returned == -1 ? errno : (int)-returned;
        _exit(0);
    }
    int status = 0;
    if (waitpid(child, &status, 0) < 0) fail("waitpid");
    if (*result < 0) printf("%s signal_%d\n", name, WTERMSIG(status));
    else printf("%s %s\n", name, *result == 0 ? "ok" : strerrorname_np(*result));
}

int main(void) {
    int *result = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (result == MAP_FAILED) fail("mmap");
    for (size_t i = 0; i < sizeof probes / sizeof probes[0]; i++) try(probes[i].name, probes[i].call, result);
    return 0;
}
