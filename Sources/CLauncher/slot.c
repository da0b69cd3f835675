#include "slot.h"

#include "command.h"
#include "filter.h"
#include "identity.h"
#include "landlock.h"
#include "lease.h"
#include "network.h"
#include "request.h"
#include "retrieval.h"
#include "root.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

// The slot's descriptors, beside 0 to 2 on /dev/null.
enum { CONTROL = 3, USER_NAMESPACE = 4, CHILD_SIGNALS = 4 }; // one after the other

// Orphans reaped before the slot looks at its control socket again: a fork bomb makes them without end.
enum { REAPED_AT_ONCE = 64 };

// How often the slot looks for the kill that an OOM is followed by, a millisecond apart. It comes within microseconds, or
// not at all when the victim was ending anyway.
enum { OOM_LOOKS = 50 };
static const int64_t oom_look_nanoseconds = 1000000;
// The least time between two looks at the processor time used: a run overshoots by this much on each processor.
static const int64_t cpu_look_nanoseconds = 5000000;

static void report(const struct sandglass_slot_report *report) {
    // A server that is gone reads nothing; the slot learns that from the end of its control socket.
    while (send(CONTROL, report, sizeof *report, MSG_NOSIGNAL) < 0 && errno == EINTR) {}
}

static _Noreturn void give_up(struct sandglass_failure failure) {
    struct sandglass_slot_report failed = {.kind = SANDGLASS_SLOT_FAILED, .failure = failure};
    report(&failed);
    _exit(1);
}

// MARK: Set-up

static struct sandglass_failure setup_descriptors(
    const struct sandglass_plan *plan, const struct sandglass_birth *birth
) {
    // The launcher's socket must not live on in its slots: its end tells the server that the launcher is gone.
    // The files of its group are all that a slot keeps.
    int first = birth->group.version == 0 ? SANDGLASS_GROUP_FIRST_FILE : SANDGLASS_GROUP_END;
    if (dup3(birth->control, CONTROL, O_CLOEXEC) < 0 || dup3(birth->user_namespace, USER_NAMESPACE, O_CLOEXEC) < 0)
        return sandglass_failed(SANDGLASS_STEP_SIGNALS, 0);
    // By descriptors that go next.
    if (sandglass_network_choose(plan, &birth->kind) < 0) return sandglass_failed(SANDGLASS_STEP_NETWORK, 2);
    struct sandglass_failure failure = sandglass_root_enter_image(birth->kind.image);
    if (!failure.step && syscall(SYS_close_range, first, ~0u, 0) < 0) failure = sandglass_failed(SANDGLASS_STEP_SIGNALS, 0);
    return failure;
}

static struct sandglass_failure setup_host_name(const struct sandglass_plan *plan) {
    if (sethostname(plan->host_name, strlen(plan->host_name)) < 0)
        return sandglass_failed(SANDGLASS_STEP_HOST_NAME, -1);
    return sandglass_no_failure();
}

static void setup_priority(const struct sandglass_plan *plan) {
    // Whoever ends a run must not stand in line behind it, nor behind slots that are still being set up. Only root may;
    // without it everything works, a little later under load.
    setpriority(PRIO_PROCESS, 0, plan->supervisor_nice);
}

// When memory runs out, the kernel takes a command, not the service.
static struct sandglass_failure setup_memory_shortage(const struct sandglass_plan *plan) {
    // A non-dumpable process's /proc files are those of the host's root (proc(5)). Nobody else is in this pid namespace yet.
    bool is_root = plan->first_host_user != 0;
    if ((!is_root && prctl(PR_SET_DUMPABLE, 1) < 0) || sandglass_write_file(AT_FDCWD, "/proc/self/oom_score_adj", "1000") < 0)
        return sandglass_failed(SANDGLASS_STEP_PROC, -1);
    return sandglass_no_failure();
}

static struct sandglass_failure setup_death_signal(void) {
    // If the launcher dies, the slot dies and with it all that it runs. A launcher that died before this call
    // is told by the end of the control socket: the server closes it when it loses the launcher.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) return sandglass_failed(SANDGLASS_STEP_DEATH_SIGNAL, -1);
    return sandglass_no_failure();
}

static struct sandglass_failure setup_child_signals(void) {
    uint64_t mask = UINT64_C(1) << (SIGCHLD - 1);
    int file = (int)syscall(SYS_signalfd4, -1, &mask, sizeof mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (file != CHILD_SIGNALS) return sandglass_failed(SANDGLASS_STEP_SIGNALS, 1);
    return sandglass_no_failure();
}

static struct sandglass_failure set_up(const struct sandglass_plan *plan, const struct sandglass_birth *birth) {
    uint32_t slot = birth->slot;
    prctl(PR_SET_NAME, "sg-slot");
    struct sandglass_failure failure;
    // As root of the launcher's user namespace.
    if ((failure = setup_host_name(plan)).step) return failure;
    if ((failure = sandglass_root_add_proc()).step) return failure;
    if ((failure = setup_memory_shortage(plan)).step) return failure;
    if ((failure = sandglass_root_restrict_proc(plan)).step) return failure;
    // Walls of the network namespace belong here: they need the privilege that goes next.
    setup_priority(plan);
    if ((failure = sandglass_identity_change_user(plan, slot)).step) return failure;
    uint32_t user = sandglass_identity_host_user(plan, slot);
    if ((failure = sandglass_root_add_scratch(plan, birth->kind.scratch_bytes, user)).step) return failure;
    if ((failure = sandglass_lease_enter_user(USER_NAMESPACE)).step) return failure;
    if ((failure = sandglass_identity_drop_capabilities()).step) return failure;
    // After the change of user, which clears it.
    if ((failure = setup_death_signal()).step) return failure;
    // Both take away what the steps above need.
    if (plan->walls & SANDGLASS_WALL_LANDLOCK && (failure = sandglass_landlock_restrict()).step) return failure;
    if ((failure = setup_child_signals()).step) return failure;
    if (plan->walls & SANDGLASS_WALL_SYSTEM_CALL_FILTER) return sandglass_filter_install(&plan->slot_filter);
    return failure;
}

// MARK: Starting the command

// The command's standard streams, and the memfd that it is in, if it is in one.
enum { STREAMS = 3, MEMORY = STREAMS };

// Waits for the request to start; the slot may stand here for hours. Returns the command.
static char *receive_start(struct sandglass_start_request *start, int descriptors[STREAMS + 1], size_t *length) {
    ssize_t received = sandglass_receive(CONTROL, start, sizeof *start, descriptors, STREAMS + 1);
    // The server is gone, or it does not need this slot any more.
    if (received <= 0 || start->kind != SANDGLASS_SLOT_START) _exit(0);
    const size_t before = offsetof(struct sandglass_start_request, command);
    bool is_complete = (size_t)received >= before && (size_t)received - before == start->length
        && descriptors[STREAMS - 1] >= 0 && (descriptors[MEMORY] < 0) == (start->length > 0);
    *length = start->length;
    char *command = !is_complete ? NULL : *length > 0 ? start->command : sandglass_request_map(descriptors[MEMORY], length);
    if (command) return command;
    if (!is_complete) errno = EBADMSG;
    give_up(sandglass_failed(SANDGLASS_STEP_REQUEST, -1));
}

struct supervision {
    pid_t command;
    struct sandglass_group group;
    uint64_t cpu_nanoseconds; // that it may use, where the group counts them
    uint64_t cpu_seconds;     // that one process may use, by RLIMIT_CPU
    uint32_t processors;
    bool keeps_files; // for the server, when it has ended
    int oom_looks;    // still to come
    struct sandglass_slot_report end;
};

static pid_t start_command(const struct sandglass_plan *plan, struct supervision *run) {
    struct sandglass_start_request start;
    int descriptors[STREAMS + 1];
    size_t length;
    char *text = receive_start(&start, descriptors, &length);
    struct sandglass_prepared_command command = {
        .streams = {descriptors[0], descriptors[1], descriptors[2]},
        .nice = plan->command_nice,
    };
    struct sandglass_request request;
    if (!sandglass_request_read(text, length, &command, &request)) give_up(sandglass_failed(SANDGLASS_STEP_REQUEST, -1));
    const struct sandglass_command *header = request.header;
    if (sandglass_group_limit(&run->group, header->memory_bytes, header->processes) < 0)
        give_up(sandglass_failed(SANDGLASS_STEP_LIMITS, 0));
    // Where the group's clock counts, the one of each process is the second net and must not be first.
    if (sandglass_group_has(&run->group, SANDGLASS_GROUP_CPU_USAGE)) command.cpu_seconds++;
    run->cpu_nanoseconds = header->cpu_nanoseconds;
    run->cpu_seconds = command.cpu_seconds;
    run->keeps_files = header->keeps_files != 0;
    run->processors = plan->processors > 0 ? plan->processors : 1;
    sandglass_group_begin(&run->group);
    // Within the limits of the run: what it is given is its own memory.
    if (header->file_count > 0) {
        struct sandglass_failure failure = sandglass_request_place_files(&request, descriptors[MEMORY], CONTROL);
        if (failure.step) give_up(failure);
    }
    pid_t child = sandglass_command_start(&command);
    for (int i = 0; i <= STREAMS; i++)
        if (descriptors[i] >= 0) close(descriptors[i]);
    if (child < 0) give_up(command.failure);
    run->end.started_nanoseconds = command.started_nanoseconds;
    return child;
}

// MARK: Supervising it

// What the OOM killer did counts until the slot itself has done something: what comes after that is its doing.
static bool note_oom(struct supervision *run) {
    if (run->end.acts == 0) run->end.usage.oom_kills = sandglass_group_oom_kills(&run->group);
    return run->end.usage.oom_kills > 0;
}

// Whether RLIMIT_CPU ended the command. A signal alone says nothing: the record also says how long it ran.
static bool used_up_its_limit(const struct supervision *run, int status, const struct rusage *usage) {
    if (!WIFSIGNALED(status) || (WTERMSIG(status) != SIGXCPU && WTERMSIG(status) != SIGKILL)) return false;
    uint64_t milliseconds = (uint64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000u
        + (uint64_t)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1000u;
    // The limit is held against whole ticks that a process was found running in, the record is what it really ran: on a loaded
    // machine, and where a hypervisor takes time away, that is less.
    return milliseconds + 100 + run->cpu_seconds * 250u >= run->cpu_seconds * 1000u;
}

// Whether the kernel has recorded the command's end. This record, and nothing else, is what the verdict
// rests on.
static bool read_end(struct supervision *run, int options) {
    int status;
    struct rusage usage;
    pid_t ended;
    do ended = wait4(run->command, &status, options, &usage);
    while (ended < 0 && errno == EINTR);
    if (ended != run->command) return false;
    note_oom(run);
    if (run->end.acts == 0 && used_up_its_limit(run, status, &usage)) run->end.acts |= SANDGLASS_ACT_CPU_LIMIT;
    run->end.wait_status = status;
    run->end.ended_nanoseconds = sandglass_monotonic_nanoseconds();
    return true;
}

static _Noreturn void finish(struct supervision *run) {
    // Whatever the command left behind; most leave nothing, and who is left without a parent is this process's child. fork(2)
    // and a signal to everybody exclude one another in the kernel, so no child slips through.
    if (wait4(-1, NULL, WNOHANG, NULL) >= 0 || errno != ECHILD) {
        kill(-1, SIGKILL);
        for (;;) {
            if (wait4(-1, NULL, 0, NULL) < 0 && errno != EINTR) break;
        }
    }
    struct rusage children;
    getrusage(RUSAGE_CHILDREN, &children);
    struct sandglass_usage *usage = &run->end.usage;
    usage->user_microseconds = (uint64_t)children.ru_utime.tv_sec * 1000000u + (uint64_t)children.ru_utime.tv_usec;
    usage->system_microseconds = (uint64_t)children.ru_stime.tv_sec * 1000000u + (uint64_t)children.ru_stime.tv_usec;
    usage->peak_bytes = (uint64_t)children.ru_maxrss * 1024u;
    struct sandglass_group_reading now = sandglass_group_read(&run->group);
    sandglass_group_account(&run->group, &now, usage);
    run->end.kind = SANDGLASS_SLOT_ENDED;
    report(&run->end);
    if (run->keeps_files) sandglass_retrieval_serve(CONTROL);
    _exit(0);
}

// Returns whether there may be more of them.
static bool reap_orphans(struct supervision *run) {
    for (int i = 0; i < REAPED_AT_ONCE; i++) {
        // Not yet waited for: the command itself is read_end's alone.
        siginfo_t ended = {0};
        if (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) < 0 || ended.si_pid == 0) return false;
        if (ended.si_pid == run->command) {
            if (read_end(run, WNOHANG)) finish(run);
            return false;
        }
        wait4(ended.si_pid, NULL, WNOHANG, NULL);
    }
    return true;
}

static void kill_all(struct supervision *run, uint32_t act) {
    // The command's own end comes first, if the kernel has recorded one.
    if (read_end(run, WNOHANG)) finish(run);
    note_oom(run);
    run->end.acts |= act;
    kill(-1, SIGKILL);
    if (read_end(run, 0)) finish(run);
}

static void obey(struct supervision *run) {
    struct sandglass_slot_request request = {0};
    ssize_t received = sandglass_receive(CONTROL, &request, sizeof request, NULL, 0);
    // Nobody is left to tell. Pid 1's end is the end of everything in its namespace.
    if (received <= 0) _exit(0);
    switch (request.kind) {
    case SANDGLASS_SLOT_TERMINATE:
        if (read_end(run, WNOHANG)) finish(run);
        note_oom(run);
        run->end.acts |= SANDGLASS_ACT_TERMINATED;
        kill(-1, SIGTERM);
        // A stopped process does not see a signal that it may handle.
        kill(-1, SIGCONT);
        break;
    case SANDGLASS_SLOT_KILL:
        kill_all(run, SANDGLASS_ACT_KILLED);
        break;
    default:
        break;
    }
}

static void look_for_oom(struct supervision *run, bool told) {
    uint64_t ignored;
    if (told && read(sandglass_group_descriptor(SANDGLASS_GROUP_OOM_EVENT), &ignored, sizeof ignored) > 0)
        run->oom_looks = OOM_LOOKS;
    if (run->oom_looks == 0) return;
    run->oom_looks--;
    // As version 2 does by itself (memory.oom.group): a run whose process was taken from it is over.
    if (sandglass_group_oom_kills(&run->group) > 0) kill_all(run, SANDGLASS_ACT_KILLED);
}

// Returns how long the run cannot have used up its processor time, or -1 where nobody counts it.
static int64_t look_at_cpu(struct supervision *run) {
    if (!sandglass_group_has(&run->group, SANDGLASS_GROUP_CPU_USAGE)) return -1;
    uint64_t used = sandglass_group_cpu_nanoseconds(&run->group) - run->group.beginning.cpu_nanoseconds;
    if (used >= run->cpu_nanoseconds) kill_all(run, SANDGLASS_ACT_CPU_LIMIT);
    int64_t wait = (int64_t)((run->cpu_nanoseconds - used) / run->processors);
    return wait > cpu_look_nanoseconds ? wait : cpu_look_nanoseconds;
}

static struct timespec *set_time(struct timespec *time, int64_t nanoseconds) {
    if (nanoseconds < 0) return NULL;
    time->tv_sec = nanoseconds / 1000000000;
    time->tv_nsec = nanoseconds % 1000000000;
    return time;
}

static _Noreturn void supervise(struct supervision *run) {
    bool watches_oom = sandglass_group_has(&run->group, SANDGLASS_GROUP_OOM_EVENT);
    struct pollfd events[] = {
        {.fd = CHILD_SIGNALS, .events = POLLIN},
        {.fd = CONTROL, .events = POLLIN},
        // A negative one is passed over (poll(2)).
        {.fd = watches_oom ? sandglass_group_descriptor(SANDGLASS_GROUP_OOM_EVENT) : -1, .events = POLLIN},
    };
    // Nothing has been used yet, so the first look can wait.
    uint64_t cpu_look = sandglass_monotonic_nanoseconds() + run->cpu_nanoseconds / run->processors;
    bool counts_cpu = sandglass_group_has(&run->group, SANDGLASS_GROUP_CPU_USAGE);
    bool more = false;
    for (;;) {
        int64_t wait = -1;
        if (counts_cpu) {
            uint64_t now = sandglass_monotonic_nanoseconds();
            if (now >= cpu_look) cpu_look = now + (uint64_t)look_at_cpu(run);
            wait = (int64_t)(cpu_look - now);
        }
        if (run->oom_looks > 0 && (wait < 0 || wait > oom_look_nanoseconds)) wait = oom_look_nanoseconds;
        if (more) wait = 0;
        struct timespec time;
        if (ppoll(events, 3, set_time(&time, wait), NULL) < 0) continue;
        if (events[0].revents) {
            struct signalfd_siginfo ignored;
            while (read(CHILD_SIGNALS, &ignored, sizeof ignored) > 0) {}
        }
        // SIGCHLDs are merged, so the command is asked after by its own pid and never lost among orphans.
        if ((events[0].revents || more) && read_end(run, WNOHANG)) finish(run);
        if (events[1].revents) obey(run);
        look_for_oom(run, events[2].revents != 0);
        more = (events[0].revents || more) && reap_orphans(run);
    }
}

// Async-signal-safe, like all of the above.
_Noreturn void sandglass_slot_run(const struct sandglass_plan *plan, const struct sandglass_birth *birth) {
    struct sandglass_failure failure = setup_descriptors(plan, birth);
    if (!failure.step) failure = set_up(plan, birth);
    if (failure.step) give_up(failure);

    struct supervision run = {.group = birth->group};
    run.command = start_command(plan, &run);
    run.end.kind = SANDGLASS_SLOT_STARTED;
    report(&run.end);
    supervise(&run);
}
