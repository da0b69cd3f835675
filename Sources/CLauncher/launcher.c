// The launcher's life: make itself small and closed, then clone slots, reap them, and kill them when told.

#include "system.h"

#include "filter.h"
#include "identity.h"
#include "landlock.h"
#include "root.h"
#include "slot.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

// The launcher's descriptors, beside 0 to 2 on /dev/null.
enum { SERVER = 3, CHILD_SIGNALS = 4 };

// Pids of the slots by their number; 0: free.
static pid_t slots[SANDGLASS_MAXIMUM_SLOTS];

// Those of the plan's walls that this kernel has: a slot that cannot build one of them fails.
static uint32_t walls;

static void report(enum sandglass_launcher_report_kind kind, uint32_t slot, struct sandglass_failure failure) {
    struct sandglass_launcher_report report = {.kind = kind, .slot = slot, .failure = failure, .walls = walls};
    while (send(SERVER, &report, sizeof report, MSG_NOSIGNAL) < 0 && errno == EINTR) {}
}

// MARK: Set-up

static void forget_command_line(const struct sandglass_plan *plan) {
    static const char name[] = "sandglass: launcher";
    if (!plan->command_line) return;
    memset(plan->command_line, 0, plan->command_line_length);
    if (sizeof name <= plan->command_line_length) memcpy(plan->command_line, name, sizeof name);
}

static void forget_environment(void) {
    // Slots are forked from here, and secrets travel in environments.
    extern char **environ;
    for (char **variable = environ; variable && *variable; variable++)
        memset(*variable, 0, strlen(*variable));
}

static int setup_streams(void) {
    // Whoever reads the server's output must not wait for its launcher to close it.
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) return -1;
    for (int i = 0; i < 3; i++)
        if (dup2(null, i) < 0) return -1;
    return null > 2 ? close(null) : 0;
}

static int setup_descriptors(int server) {
    if (dup2(server, SERVER) < 0 || fcntl(SERVER, F_SETFD, FD_CLOEXEC) < 0) return -1;
    // Whatever the process had open that forked the launcher.
    if (syscall(SYS_close_range, SERVER + 1, ~0u, 0) < 0) return -1;
    return setup_streams();
}

static int setup_signals(void) {
    // No terminal's signals, and the default disposition of every one, for the commands to inherit. The raw
    // call, because glibc's hides two signals of its own. Its mask stays full: the launcher is ended by its
    // socket alone.
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
    return file == CHILD_SIGNALS ? 0 : -1;
}

static struct sandglass_failure find_walls(const struct sandglass_plan *plan) {
    if (plan->walls & SANDGLASS_WALL_LANDLOCK && sandglass_landlock_is_available()) walls |= SANDGLASS_WALL_LANDLOCK;
    if (plan->walls & SANDGLASS_WALL_SYSTEM_CALL_FILTER && sandglass_filter_is_available())
        walls |= SANDGLASS_WALL_SYSTEM_CALL_FILTER;
    uint32_t missing = plan->required_walls & ~walls;
    errno = ENOSYS;
    if (missing & SANDGLASS_WALL_LANDLOCK) return sandglass_failed(SANDGLASS_STEP_LANDLOCK, -1);
    if (missing) return sandglass_failed(SANDGLASS_STEP_SYSTEM_CALL_FILTER, -1);
    return sandglass_no_failure();
}

static struct sandglass_failure set_up(const struct sandglass_plan *plan) {
    struct sandglass_failure failure;
    prctl(PR_SET_NAME, "sg-launcher");
    forget_command_line(plan);
    forget_environment();
    if (setup_signals() < 0) return sandglass_failed(SANDGLASS_STEP_LAUNCHER_PROCESS, 1);
    bool root = syscall(SYS_geteuid) == 0;
    if (!root && (failure = sandglass_identity_become_namespace_root()).step) return failure;
    if (syscall(SYS_unshare, CLONE_NEWNS) < 0) return sandglass_failed(SANDGLASS_STEP_LAUNCHER_MOUNT_NAMESPACE, -1);
    if ((failure = sandglass_root_build(plan, !root)).step) return failure;
    // Again, from the new root: nothing of the host's mounts stays referred to.
    if (setup_streams() < 0) return sandglass_failed(SANDGLASS_STEP_LAUNCHER_PROCESS, 2);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
        return sandglass_failed(SANDGLASS_STEP_LAUNCHER_PROCESS, 3);
    return find_walls(plan);
}

// MARK: Slots

static void spawn(const struct sandglass_plan *plan, uint32_t slot, int control) {
    static const uint64_t namespaces =
        CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_NEWNET;
    pid_t pid = sandglass_clone3(namespaces);
    if (pid == 0) sandglass_slot_run(plan, walls, slot, control);
    if (pid < 0) {
        struct sandglass_slot_report failed = {
            .kind = SANDGLASS_SLOT_FAILED,
            .failure = sandglass_failed(SANDGLASS_STEP_CLONE, -1),
        };
        send(control, &failed, sizeof failed, MSG_NOSIGNAL | MSG_DONTWAIT);
        report(SANDGLASS_LAUNCHER_GONE, slot, failed.failure);
    } else {
        slots[slot] = pid;
    }
}

static void obey(const struct sandglass_plan *plan, const struct sandglass_launcher_request *request, int control) {
    if (request->slot >= plan->slots) return;
    switch (request->kind) {
    case SANDGLASS_LAUNCHER_SPAWN:
        // Two slots of one number would share a user: whatever the server says, that never happens.
        if (control >= 0 && slots[request->slot] == 0) spawn(plan, request->slot, control);
        break;
    case SANDGLASS_LAUNCHER_KILL:
        if (slots[request->slot] > 0) kill(slots[request->slot], SIGKILL);
        break;
    default:
        break;
    }
}

static void reap(const struct sandglass_plan *plan) {
    struct signalfd_siginfo ignored;
    while (read(CHILD_SIGNALS, &ignored, sizeof ignored) > 0) {}
    pid_t ended;
    while ((ended = waitpid(-1, NULL, WNOHANG)) > 0) {
        for (uint32_t slot = 0; slot < plan->slots; slot++) {
            if (slots[slot] != ended) continue;
            slots[slot] = 0;
            report(SANDGLASS_LAUNCHER_GONE, slot, sandglass_no_failure());
            break;
        }
    }
}

static _Noreturn void end(const struct sandglass_plan *plan) {
    for (uint32_t slot = 0; slot < plan->slots; slot++)
        if (slots[slot] > 0) kill(slots[slot], SIGKILL);
    for (;;) {
        if (waitpid(-1, NULL, 0) < 0 && errno != EINTR) _exit(0);
    }
}

static _Noreturn void run(const struct sandglass_plan *plan, int server) {
    struct sandglass_failure failure = sandglass_no_failure();
    if (setup_descriptors(server) < 0) failure = sandglass_failed(SANDGLASS_STEP_LAUNCHER_PROCESS, 0);
    else failure = set_up(plan);
    report(SANDGLASS_LAUNCHER_READY, 0, failure);
    if (failure.step) _exit(1);

    struct pollfd events[] = {{.fd = SERVER, .events = POLLIN}, {.fd = CHILD_SIGNALS, .events = POLLIN}};
    for (;;) {
        if (poll(events, 2, -1) < 0) continue;
        if (events[1].revents) reap(plan);
        if (!events[0].revents) continue;
        struct sandglass_launcher_request request = {0};
        int control;
        ssize_t received = sandglass_receive(SERVER, &request, sizeof request, &control, 1);
        if (received <= 0) end(plan);
        if (received == sizeof request) obey(plan, &request, control);
        if (control >= 0) close(control);
    }
}

pid_t sandglass_launcher_start(const struct sandglass_plan *plan, int *socket_out) {
    int ends[2];
    if (plan->slots > SANDGLASS_MAXIMUM_SLOTS) {
        errno = EINVAL;
        return -1;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return -1;
    pid_t pid = fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0 ? -1 : fork();
    if (pid == 0) run(plan, ends[1]);
    int error = errno;
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        errno = error;
    } else {
        *socket_out = ends[0];
    }
    return pid;
}
