// The launcher's life: make itself small and closed, then clone slots, reap them, and kill them when told.

#include "system.h"

#include "filter.h"
#include "identity.h"
#include "landlock.h"
#include "root.h"
#include "slot.h"
#include "zygote.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

// The launcher's descriptors, beside 0 to 2 on /dev/null.
enum { SERVER = 3, CHILD_SIGNALS = 4, USERS_CLAIM = SANDGLASS_IMAGES_BEGIN - 1 };

// Pids of the slots by their number; 0: free.
static pid_t slots[SANDGLASS_MAXIMUM_SLOTS];
static struct sandglass_group groups[SANDGLASS_MAXIMUM_SLOTS];

// Where slots are born of zygotes. A number's zygote stays for its next slot, and goes when there is none for a while.
static struct zygote {
    pid_t pid;
    int socket;
    bool is_making; // a slot, and has not said yet which
    bool kill_slot; // as soon as it has
    uint64_t idle_since;
} zygotes[SANDGLASS_MAXIMUM_SLOTS];
static uint32_t zygotes_making, zygotes_idle;
static int zygote_reports = -1, zygote_reports_far = -1;
// Which slot a zygote has made need not be known before that is to be killed or has ended: nobody is woken for it.
static bool wants_zygote_reports;
static const uint64_t zygote_patience = UINT64_C(5000000000);
enum { IDLE_LOOK_MILLISECONDS = 1000, MAKING_PATIENCE_MILLISECONDS = 500 };

static void send_report(const struct sandglass_launcher_report *report) {
    while (send(SERVER, report, sizeof *report, MSG_NOSIGNAL) < 0 && errno == EINTR) {}
}

static void report_gone(uint32_t slot, struct sandglass_failure failure, struct sandglass_usage usage) {
    struct sandglass_launcher_report report = {
        .kind = SANDGLASS_LAUNCHER_GONE, .slot = slot, .failure = failure, .usage = usage};
    send_report(&report);
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

// The server's socket, the claim and the folders of the groups get numbers of their own, whichever they had.
static int setup_descriptors(const struct sandglass_plan *plan, int server, struct sandglass_cgroups *cgroups) {
    server = fcntl(server, F_DUPFD_CLOEXEC, USERS_CLAIM + 1);
    int claim = plan->users_claim < 0 ? -1 : fcntl(plan->users_claim, F_DUPFD_CLOEXEC, USERS_CLAIM + 1);
    int next = cgroups->version > 0 ? sandglass_group_keep_folders(cgroups) : CHILD_SIGNALS + 1;
    if (server < 0 || next < 0 || (claim < 0 && plan->users_claim >= 0)) return -1;
    if (dup3(server, SERVER, O_CLOEXEC) < 0 || (claim >= 0 && dup3(claim, USERS_CLAIM, O_CLOEXEC) < 0)) return -1;
    // Whatever the process had open that forked the launcher.
    if (syscall(SYS_close_range, CHILD_SIGNALS, CHILD_SIGNALS, 0) < 0) return -1;
    if (syscall(SYS_close_range, next, USERS_CLAIM - 1, 0) < 0 && next < USERS_CLAIM) return -1;
    if (syscall(SYS_close_range, claim < 0 ? USERS_CLAIM : USERS_CLAIM + 1, ~0u, 0) < 0) return -1;
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

// Leaves in the plan those walls that this kernel has: from here on a slot that cannot build one of them fails.
static struct sandglass_failure find_walls(struct sandglass_plan *plan) {
    if (!sandglass_landlock_is_available()) plan->walls &= ~(uint32_t)SANDGLASS_WALL_LANDLOCK;
    if (!sandglass_filter_is_available()) plan->walls &= ~(uint32_t)SANDGLASS_WALL_SYSTEM_CALL_FILTER;
    uint32_t missing = plan->required_walls & ~plan->walls;
    errno = ENOSYS;
    if (missing & SANDGLASS_WALL_LANDLOCK) return sandglass_failed(SANDGLASS_STEP_LANDLOCK, -1);
    if (missing) return sandglass_failed(SANDGLASS_STEP_SYSTEM_CALL_FILTER, -1);
    return sandglass_no_failure();
}

static struct sandglass_failure set_up(struct sandglass_plan *plan) {
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

// MARK: Control groups

static int open_zygote_reports(void) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return -1;
    zygote_reports = ends[0];
    zygote_reports_far = ends[1];
    // Each zygote has a socket here.
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0) return -1;
    files.rlim_cur = files.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &files);
}

static void add_idle_zygote(uint32_t slot) {
    zygotes[slot].idle_since = sandglass_monotonic_nanoseconds();
    zygotes_idle++;
}

static int start_zygote(const struct sandglass_plan *plan, uint32_t slot) {
    if (sandglass_group_make(&plan->cgroups, slot) < 0) return -1;
    pid_t pid = sandglass_zygote_start(plan, slot, zygote_reports_far, &zygotes[slot].socket);
    if (pid < 0) return -1;
    zygotes[slot].pid = pid;
    return 0;
}

// The zygote is gone and reaped.
static void forget_zygote(const struct sandglass_plan *plan, uint32_t slot) {
    close(zygotes[slot].socket);
    zygotes[slot] = (struct zygote){0};
    sandglass_group_remove(&plan->cgroups, slot);
}

static void reap_pid(pid_t pid) {
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {}
}

static void retire_idle_zygotes(const struct sandglass_plan *plan) {
    uint64_t now = sandglass_monotonic_nanoseconds();
    for (uint32_t slot = 0; slot < plan->slots && zygotes_idle > 0; slot++) {
        struct zygote *zygote = &zygotes[slot];
        if (zygote->pid == 0 || zygote->idle_since == 0 || now - zygote->idle_since < zygote_patience) continue;
        zygotes_idle--;
        // It ends with its socket.
        shutdown(zygote->socket, SHUT_RDWR);
        reap_pid(zygote->pid);
        forget_zygote(plan, slot);
    }
}

// Whether a process can really be had in a group: what the host shows of its files does not say so.
static struct sandglass_failure try_control_groups(const struct sandglass_plan *plan) {
    if (plan->cgroups.version == 1) {
        struct sandglass_zygote_report first;
        if (open_zygote_reports() < 0 || start_zygote(plan, 0) < 0)
            return sandglass_failed(SANDGLASS_STEP_CONTROL_GROUP, 3);
        if (sandglass_receive(zygote_reports, &first, sizeof first, NULL, 0) != sizeof first)
            return sandglass_failed(SANDGLASS_STEP_CONTROL_GROUP, 4);
        if (!first.failure.step) {
            add_idle_zygote(0);
            return sandglass_no_failure();
        }
        reap_pid(zygotes[0].pid);
        forget_zygote(plan, 0);
        return first.failure;
    }
    struct sandglass_group group;
    if (sandglass_group_make(&plan->cgroups, 0) < 0 || sandglass_group_open(&plan->cgroups, 0, &group) < 0)
        return sandglass_failed(SANDGLASS_STEP_CONTROL_GROUP, 2);
    sandglass_group_close();
    int folder = sandglass_group_folder(&plan->cgroups, 0);
    pid_t pid = folder < 0 ? -1 : sandglass_clone3(CLONE_INTO_CGROUP, folder);
    if (pid == 0) _exit(0);
    struct sandglass_failure failure =
        pid < 0 ? sandglass_failed(SANDGLASS_STEP_CONTROL_GROUP, 1) : sandglass_no_failure();
    if (folder >= 0) close(folder);
    if (pid > 0) reap_pid(pid);
    sandglass_group_remove(&plan->cgroups, 0);
    return failure;
}

// MARK: Slots

// Nothing of the slot is left but the server's knowledge of it.
static void never_born(uint32_t slot, int control, struct sandglass_failure failure) {
    struct sandglass_slot_report failed = {.kind = SANDGLASS_SLOT_FAILED, .failure = failure};
    send(control, &failed, sizeof failed, MSG_NOSIGNAL | MSG_DONTWAIT);
    report_gone(slot, failure, (struct sandglass_usage){0});
}

static pid_t clone_into_group(const struct sandglass_plan *plan, struct sandglass_birth *birth) {
    if (sandglass_group_make(&plan->cgroups, birth->slot) < 0) return -1;
    int folder = sandglass_group_folder(&plan->cgroups, birth->slot);
    if (folder < 0 || sandglass_group_open(&plan->cgroups, birth->slot, &birth->group) < 0) return -1;
    pid_t pid = sandglass_clone3(sandglass_slot_namespaces(&birth->kind) | CLONE_INTO_CGROUP, folder);
    if (pid == 0) sandglass_slot_run(plan, birth);
    int error = errno;
    sandglass_group_close();
    close(folder);
    groups[birth->slot] = birth->group;
    errno = error;
    return pid;
}

static void spawn(const struct sandglass_plan *plan, uint32_t slot, const struct sandglass_slot_kind *kind, int control) {
    struct sandglass_birth birth = {.slot = slot, .control = control, .kind = *kind};
    pid_t pid;
    if (plan->cgroups.version == 2) {
        pid = clone_into_group(plan, &birth);
    } else {
        pid = sandglass_clone3(sandglass_slot_namespaces(kind), -1);
        if (pid == 0) sandglass_slot_run(plan, &birth);
    }
    if (pid < 0) never_born(slot, control, sandglass_failed(SANDGLASS_STEP_CLONE, -1));
    else slots[slot] = pid;
}

static void ask_zygote(const struct sandglass_plan *plan, uint32_t slot, const struct sandglass_slot_kind *kind, int control) {
    struct zygote *zygote = &zygotes[slot];
    struct sandglass_zygote_request request = {.slot_kind = *kind};
    if (zygote->idle_since != 0) zygotes_idle--;
    zygote->idle_since = 0;
    if ((zygote->pid == 0 && start_zygote(plan, slot) < 0)
        || sandglass_send_with(zygote->socket, &request, sizeof request, control) < 0) {
        never_born(slot, control, sandglass_failed(SANDGLASS_STEP_CONTROL_GROUP, 5));
        return;
    }
    zygote->is_making = true;
    zygote->kill_slot = false;
    zygotes_making++;
}

// What zygotes say. Those that have only set themselves up wait for nothing.
static void take_zygote_reports(void) {
    struct sandglass_zygote_report made;
    while (zygote_reports >= 0 && recv(zygote_reports, &made, sizeof made, MSG_DONTWAIT) == sizeof made) {
        struct zygote *zygote = &zygotes[made.slot];
        // One that could not set itself up ends, and is seen to.
        if (made.pid == 0 || !zygote->is_making || made.failure.step == SANDGLASS_STEP_CONTROL_GROUP) continue;
        zygote->is_making = false;
        zygotes_making--;
        groups[made.slot] = made.group;
        if (made.pid < 0) {
            add_idle_zygote(made.slot);
            report_gone(made.slot, made.failure, (struct sandglass_usage){0});
            continue;
        }
        slots[made.slot] = made.pid;
        if (zygote->kill_slot) kill(made.pid, SIGKILL);
    }
}

static void kill_slot(const struct sandglass_plan *plan, uint32_t slot) {
    take_zygote_reports();
    if (zygotes[slot].is_making) zygotes[slot].kill_slot = wants_zygote_reports = true;
    if (slots[slot] <= 0) return;
    kill(slots[slot], SIGKILL);
    if (plan->cgroups.version == 2) sandglass_group_kill(&plan->cgroups, slot);
}

static void obey(const struct sandglass_plan *plan, const struct sandglass_launcher_request *request, int control) {
    uint32_t slot = request->slot;
    if (slot >= plan->slots) return;
    switch (request->kind) {
    case SANDGLASS_LAUNCHER_SPAWN:
        // Two slots of one number would share a user: whatever the server says, that never happens.
        take_zygote_reports();
        if (control < 0 || slots[slot] != 0 || zygotes[slot].is_making) break;
        // Nor does one get what the plan does not have.
        if (request->slot_kind.image > plan->image_count) break;
        if (request->slot_kind.shares_network && !plan->allows_host_network) break;
        if (plan->cgroups.version == 1) ask_zygote(plan, slot, &request->slot_kind, control);
        else spawn(plan, slot, &request->slot_kind, control);
        break;
    case SANDGLASS_LAUNCHER_KILL:
        kill_slot(plan, slot);
        break;
    default:
        break;
    }
}

// What a slot used that could not say so itself.
static struct sandglass_usage account(const struct sandglass_plan *plan, uint32_t slot, const struct rusage *record) {
    struct sandglass_usage usage = {
        .user_microseconds = (uint64_t)record->ru_utime.tv_sec * 1000000u + (uint64_t)record->ru_utime.tv_usec,
        .system_microseconds = (uint64_t)record->ru_stime.tv_sec * 1000000u + (uint64_t)record->ru_stime.tv_usec,
        .peak_bytes = (uint64_t)record->ru_maxrss * 1024u,
    };
    struct sandglass_group now;
    if (plan->cgroups.version == 0 || sandglass_group_open(&plan->cgroups, slot, &now) < 0) return usage;
    usage.oom_kills = sandglass_group_oom_kills(&groups[slot]);
    sandglass_group_account(&groups[slot], &now.beginning, &usage);
    sandglass_group_close();
    return usage;
}

static void bury_slot(const struct sandglass_plan *plan, uint32_t slot) {
    int status = 0;
    struct rusage record = {0};
    struct sandglass_usage usage = {0};
    while (wait4(slots[slot], &status, 0, &record) < 0 && errno == EINTR) {}
    slots[slot] = 0;
    if (WIFSIGNALED(status)) usage = account(plan, slot, &record);
    report_gone(slot, sandglass_no_failure(), usage);
    // Now that it is told.
    if (plan->cgroups.version == 2) sandglass_group_remove(&plan->cgroups, slot);
    if (zygotes[slot].pid != 0) add_idle_zygote(slot);
}

// Nobody ends a zygote but the OOM killer, when the whole host is out of memory, and its own failure to set itself up.
static void bury_zygote(const struct sandglass_plan *plan, uint32_t slot) {
    struct zygote zygote = zygotes[slot];
    reap_pid(zygote.pid);
    forget_zygote(plan, slot);
    if (zygote.idle_since != 0) zygotes_idle--;
    if (!zygote.is_making) return;
    zygotes_making--;
    errno = ECHILD;
    report_gone(slot, sandglass_failed(SANDGLASS_STEP_CONTROL_GROUP, 1), (struct sandglass_usage){0});
}

static bool bury(const struct sandglass_plan *plan, pid_t pid) {
    for (uint32_t slot = 0; slot < plan->slots; slot++) {
        if (slots[slot] != pid) continue;
        bury_slot(plan, slot);
        return true;
    }
    for (uint32_t slot = 0; plan->cgroups.version == 1 && slot < plan->slots; slot++) {
        if (zygotes[slot].pid != pid) continue;
        bury_zygote(plan, slot);
        return true;
    }
    return false;
}

static void reap(const struct sandglass_plan *plan) {
    struct signalfd_siginfo ignored;
    while (read(CHILD_SIGNALS, &ignored, sizeof ignored) > 0) {}
    for (;;) {
        // Not yet waited for: a slot may be over before its zygote has said that it is one.
        siginfo_t ended = {0};
        if (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) < 0 || ended.si_pid == 0) return;
        take_zygote_reports();
        if (bury(plan, ended.si_pid)) continue;
        if (zygotes_making > 0) {
            wants_zygote_reports = true; // reaping goes on when it has come
            return;
        }
        reap_pid(ended.si_pid);
    }
}

static _Noreturn void end(const struct sandglass_plan *plan) {
    for (uint32_t slot = 0; slot < plan->slots; slot++) {
        if (zygotes[slot].is_making) zygotes[slot].kill_slot = true;
        if (slots[slot] > 0) kill(slots[slot], SIGKILL);
    }
    struct pollfd event = {.fd = zygote_reports, .events = POLLIN};
    while (zygotes_making > 0 && poll(&event, 1, MAKING_PATIENCE_MILLISECONDS) > 0) take_zygote_reports();
    for (uint32_t slot = 0; slot < plan->slots && plan->cgroups.version == 1; slot++)
        if (zygotes[slot].pid != 0) shutdown(zygotes[slot].socket, SHUT_RDWR);
    for (;;) {
        if (waitpid(-1, NULL, 0) < 0 && errno != EINTR) break;
    }
    for (uint32_t slot = 0; slot < plan->slots && plan->cgroups.version > 0; slot++)
        sandglass_group_remove(&plan->cgroups, slot);
    if (plan->cgroups.version > 0) sandglass_group_remove_folders(&plan->cgroups);
    _exit(0);
}

static _Noreturn void run(const struct sandglass_plan *server_plan, int server) {
    struct sandglass_plan own = *server_plan;
    const struct sandglass_plan *plan = &own;
    struct sandglass_launcher_report ready = {.kind = SANDGLASS_LAUNCHER_READY};
    if (setup_descriptors(plan, server, &own.cgroups) < 0) ready.failure = sandglass_failed(SANDGLASS_STEP_LAUNCHER_PROCESS, 0);
    else ready.failure = set_up(&own);
    bool failed = ready.failure.step != SANDGLASS_STEP_NONE;
    if (!failed && own.cgroups.version > 0) {
        // Without them commands run all the same, and their receipt says what is not enforced.
        ready.failure = try_control_groups(plan);
        if (ready.failure.step) {
            sandglass_group_remove_folders(&own.cgroups);
            own.cgroups.version = 0;
        }
        ready.cgroups = own.cgroups.version;
    }
    ready.walls = own.walls;
    send_report(&ready);
    if (failed) _exit(1);

    struct pollfd events[] = {
        {.fd = SERVER, .events = POLLIN},
        {.fd = CHILD_SIGNALS, .events = POLLIN},
        {.events = POLLIN},
    };
    for (;;) {
        // A negative one is passed over (poll(2)).
        events[2].fd = wants_zygote_reports ? zygote_reports : -1;
        int count = poll(events, 3, zygotes_idle > 0 ? IDLE_LOOK_MILLISECONDS : -1);
        if (count < 0) continue;
        if (zygotes_idle > 0) retire_idle_zygotes(plan);
        if (events[1].revents || events[2].revents) {
            take_zygote_reports();
            wants_zygote_reports = false;
            for (uint32_t slot = 0; slot < plan->slots && zygotes_making > 0; slot++)
                if (zygotes[slot].is_making && zygotes[slot].kill_slot) wants_zygote_reports = true;
            reap(plan);
        }
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
    if (plan->slots > SANDGLASS_MAXIMUM_SLOTS || plan->image_count > SANDGLASS_MAXIMUM_IMAGES) {
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
