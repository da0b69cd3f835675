#include "launcher_setup.h"

#include "../isolation/identity.h"
#include "../isolation/landlock.h"
#include "../isolation/network.h"
#include "../isolation/root.h"
#include "../isolation/seccomp.h"
#include "../set_up_calls.h"

#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

static void wipe_command_line(const struct sandglass_plan *plan) {
    static const char name[] = "sandglass: launcher";
    if (!plan->command_line) return;
    memset(plan->command_line, 0, plan->command_line_length);
    if (sizeof name <= plan->command_line_length) memcpy(plan->command_line, name, sizeof name);
}

static void wipe_environment(void) {
    // Slots are forked from here, and environments often hold secrets.
    extern char **environ;
    for (char **variable = environ; variable && *variable; variable++) memset(*variable, 0, strlen(*variable));
}

static int setup_streams(void) {
    // A reader of the server's output must not have to wait for the launcher to close it.
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) return -1;
    for (int i = 0; i < 3; i++)
        if (dup2(null, i) < 0) return -1;
    return null > 2 ? close(null) : 0;
}

// Moves the server's socket, the claim and the control groups' directories to their fixed numbers.
static int setup_descriptors(const struct sandglass_plan *plan, int server, struct sandglass_cgroup_tree *cgroups) {
    server = fcntl(server, F_DUPFD_CLOEXEC, SANDGLASS_USERS_CLAIM + 1);
    int claim = plan->users_claim < 0 ? -1 : fcntl(plan->users_claim, F_DUPFD_CLOEXEC, SANDGLASS_USERS_CLAIM + 1);
    int next = cgroups->version > 0 ? sandglass_cgroup_keep_directories(cgroups) : SANDGLASS_CHILD_SIGNALS + 1;
    if (server < 0 || next < 0 || (claim < 0 && plan->users_claim >= 0)) return -1;
    if (dup3(server, SANDGLASS_SERVER, O_CLOEXEC) < 0
        || (claim >= 0 && dup3(claim, SANDGLASS_USERS_CLAIM, O_CLOEXEC) < 0))
        return -1;
    // Closes all other descriptors of the process that forked the launcher.
    if (syscall(SYS_close_range, SANDGLASS_CHILD_SIGNALS, SANDGLASS_CHILD_SIGNALS, 0) < 0) return -1;
    if (syscall(SYS_close_range, next, SANDGLASS_USERS_CLAIM - 1, 0) < 0 && next < SANDGLASS_USERS_CLAIM) return -1;
    if (syscall(SYS_close_range, claim < 0 ? SANDGLASS_USERS_CLAIM : SANDGLASS_USERS_CLAIM + 1, ~0u, 0) < 0) return -1;
    return setup_streams();
}

static int setup_signals(void) {
    // A new session, so that no terminal sends signals, and default dispositions of all signals for the commands to
    // inherit. This uses the raw system call, because glibc's function hides two signals for its own use. All signals
    // stay blocked: only the end of its socket ends the launcher.
    setsid();
    struct {
        void (*handler)(int);
        unsigned long flags;
        void (*restorer)(void);
        uint64_t mask;
    } standard = {SIG_DFL, 0, NULL, 0};
    for (int signal = 1; signal <= 64; signal++)
        syscall(SYS_rt_sigaction, signal, &standard, NULL, sizeof standard.mask);
    uint64_t all = ~UINT64_C(0);
    if (syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof all) < 0) return -1;
    uint64_t child = UINT64_C(1) << (SIGCHLD - 1);
    int file = (int)syscall(SYS_signalfd4, -1, &child, sizeof child, SFD_CLOEXEC | SFD_NONBLOCK);
    return file == SANDGLASS_CHILD_SIGNALS ? 0 : -1;
}

// Removes from the plan the protections that this kernel lacks. From here on a slot that cannot use a remaining one
// fails.
static struct sandglass_failure find_protections(struct sandglass_plan *plan) {
    if (!sandglass_landlock_is_available()) plan->protections &= ~(uint32_t)SANDGLASS_PROTECTION_LANDLOCK;
    if (!sandglass_seccomp_is_available()) plan->protections &= ~(uint32_t)SANDGLASS_PROTECTION_SYSTEM_CALL_FILTER;
    uint32_t missing = plan->required_protections & ~plan->protections;
    errno = ENOSYS;
    if (missing & SANDGLASS_PROTECTION_LANDLOCK) return sandglass_failed(SANDGLASS_STEP_LANDLOCK, -1);
    if (missing) return sandglass_failed(SANDGLASS_STEP_SYSTEM_CALL_FILTER, -1);
    return sandglass_no_failure();
}

// Each zygote needs a socket here, and each network namespace a descriptor.
static int raise_descriptor_limit(void) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0) return -1;
    files.rlim_cur = files.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &files);
}

// Removes the limits of the service's own session, which must not reach commands. Only root may; elsewhere they stay.
static void remove_session_limits(void) {
    struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_CPU, &none);
    setrlimit(RLIMIT_FSIZE, &none);
    setrlimit(RLIMIT_NPROC, &none);
    setrlimit(RLIMIT_STACK, &(struct rlimit){8 * 1024 * 1024, RLIM_INFINITY});
}

// Leaves the host's network, which the launcher itself does not need.
static struct sandglass_failure leave_network(const struct sandglass_plan *plan) {
    if (!sandglass_network_is_kept(plan)) return sandglass_no_failure();
    if (plan->allows_host_network && sandglass_network_keep_host() < 0)
        return sandglass_failed(SANDGLASS_STEP_NETWORK, 1);
    if (sandglass_unshare(plan, CLONE_NEWNET) < 0) return sandglass_failed(SANDGLASS_STEP_NETWORK, -1);
    return sandglass_no_failure();
}

// Async-signal-safe.
struct sandglass_failure sandglass_launcher_set_up(struct sandglass_plan *plan, int server, int *view) {
    struct sandglass_failure failure;
    if (setup_descriptors(plan, server, &plan->cgroups) < 0)
        return sandglass_failed(SANDGLASS_STEP_LAUNCHER_PROCESS, 0);
    prctl(PR_SET_NAME, "sg-launcher");
    wipe_command_line(plan);
    wipe_environment();
    // Every call that makes a file gives its mode explicitly (umask(2)).
    umask(0);
    if (setup_signals() < 0 || raise_descriptor_limit() < 0)
        return sandglass_failed(SANDGLASS_STEP_LAUNCHER_PROCESS, 1);
    remove_session_limits();
    bool root = syscall(SYS_geteuid) == 0;
    if (!root && (failure = sandglass_identity_become_namespace_root()).step) return failure;
    if (sandglass_unshare(plan, CLONE_NEWNS) < 0) return sandglass_failed(SANDGLASS_STEP_LAUNCHER_MOUNT_NAMESPACE, -1);
    if ((failure = leave_network(plan)).step) return failure;
    if ((failure = sandglass_root_build(plan, !root, view)).step) return failure;
    // Opens the streams again, from the new root, so that no reference to the host's mounts remains.
    if (setup_streams() < 0) return sandglass_failed(SANDGLASS_STEP_LAUNCHER_PROCESS, 2);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
        return sandglass_failed(SANDGLASS_STEP_LAUNCHER_PROCESS, 3);
    if ((failure = sandglass_identity_limit_capabilities(plan)).step) return failure;
    if ((failure = find_protections(plan)).step || !(plan->protections & SANDGLASS_PROTECTION_SYSTEM_CALL_FILTER))
        return failure;
    return sandglass_seccomp_install(&plan->filter);
}
