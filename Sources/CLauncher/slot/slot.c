#include "slot.h"

#include "../isolation/identity.h"
#include "../isolation/landlock.h"
#include "../isolation/network.h"
#include "../isolation/root.h"
#include "../isolation/seccomp.h"
#include "../isolation/slot_namespaces.h"
#include "command.h"
#include "output_files.h"
#include "request.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

// The slot's descriptors, in addition to 0 to 2 on /dev/null.
enum { CONTROL = 3, USER_NAMESPACE = 4, CHILD_SIGNALS = 4 }; // number 4 is used for one, then for the other

// The number of orphans reaped before the slot checks its control socket again: a fork bomb makes them without end.
enum { REAPED_AT_ONCE = 64 };

// The number of checks for a kill after an OOM event, one millisecond apart. The kill follows within microseconds, or
// never if the victim was already exiting.
enum { OOM_CHECKS = 50 };
static const int64_t oom_check_nanoseconds = 1000000;
// The minimum time between two checks of the CPU time used. A run can exceed its limit by this much on each
// processor.
static const int64_t cpu_check_nanoseconds = 5000000;

static void report(const struct sandglass_slot_report *report) {
    // If the server has exited, nothing reads the report. The slot notices it by the end of its control socket.
    while (send(CONTROL, report, sizeof *report, MSG_NOSIGNAL) < 0 && errno == EINTR) {}
}

static _Noreturn void give_up(struct sandglass_failure failure) {
    struct sandglass_slot_report failed = {.kind = SANDGLASS_SLOT_FAILED, .failure = failure};
    report(&failed);
    _exit(1);
}

// MARK: Set-up

static struct sandglass_failure setup_descriptors(
    const struct sandglass_plan *plan, const struct sandglass_slot_parameters *parameters
) {
    // The launcher's socket must not stay open in slots, because its end tells the server that the launcher has
    // exited. A slot keeps only the files of its group.
    int first = parameters->cgroup.version == 0 ? SANDGLASS_CGROUP_FIRST_FILE : SANDGLASS_CGROUP_END;
    if (dup3(parameters->control, CONTROL, O_CLOEXEC) < 0
        || dup3(parameters->user_namespace, USER_NAMESPACE, O_CLOEXEC) < 0)
        return sandglass_failed(SANDGLASS_STEP_SIGNALS, 0);
    // Uses descriptors that are closed next.
    if (sandglass_network_choose(plan, &parameters->kind) < 0) return sandglass_failed(SANDGLASS_STEP_NETWORK, 2);
    struct sandglass_failure failure = sandglass_root_enter_image(parameters->kind.image);
    if (!failure.step && syscall(SYS_close_range, first, ~0u, 0) < 0)
        failure = sandglass_failed(SANDGLASS_STEP_SIGNALS, 0);
    return failure;
}

static struct sandglass_failure setup_host_name(const struct sandglass_plan *plan) {
    if (sethostname(plan->host_name, strlen(plan->host_name)) < 0)
        return sandglass_failed(SANDGLASS_STEP_HOST_NAME, -1);
    return sandglass_no_failure();
}

static void setup_priority(const struct sandglass_plan *plan) {
    // The supervisor must not wait in line behind the run that it ends, nor behind slots in set-up. Only root may raise
    // the priority. Without a raised priority everything works, but a little later under load.
    setpriority(PRIO_PROCESS, 0, plan->supervisor_nice);
}

// Makes the kernel's OOM killer choose a command before the service.
static struct sandglass_failure setup_memory_shortage(const struct sandglass_plan *plan) {
    // The /proc files of a non-dumpable process belong to the host's root (proc(5)). No other process is in this pid
    // namespace yet.
    bool is_root = plan->first_host_user != 0;
    if ((!is_root && prctl(PR_SET_DUMPABLE, 1) < 0)
        || sandglass_write_file(AT_FDCWD, "/proc/self/oom_score_adj", "1000") < 0)
        return sandglass_failed(SANDGLASS_STEP_PROC, -1);
    return sandglass_no_failure();
}

static struct sandglass_failure setup_death_signal(void) {
    // If the launcher dies, the slot and all its processes die. If the launcher died before this call, the end of the
    // control socket tells the slot: the server closes it when it loses the launcher.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) return sandglass_failed(SANDGLASS_STEP_DEATH_SIGNAL, -1);
    return sandglass_no_failure();
}

static struct sandglass_failure setup_child_signals(void) {
    uint64_t mask = UINT64_C(1) << (SIGCHLD - 1);
    int file = (int)syscall(SYS_signalfd4, -1, &mask, sizeof mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (file != CHILD_SIGNALS) return sandglass_failed(SANDGLASS_STEP_SIGNALS, 1);
    return sandglass_no_failure();
}

static struct sandglass_failure set_up(
    const struct sandglass_plan *plan, const struct sandglass_slot_parameters *parameters
) {
    uint32_t slot = parameters->slot;
    prctl(PR_SET_NAME, "sg-slot");
    struct sandglass_failure failure;
    // These steps run as root of the launcher's user namespace.
    if ((failure = setup_host_name(plan)).step) return failure;
    if ((failure = sandglass_root_add_proc()).step) return failure;
    if ((failure = setup_memory_shortage(plan)).step) return failure;
    if ((failure = sandglass_root_restrict_proc(plan)).step) return failure;
    // Protections of the network namespace belong here: they need the privilege that is dropped next.
    setup_priority(plan);
    if ((failure = sandglass_identity_change_user(plan, slot)).step) return failure;
    uint32_t user = sandglass_identity_host_user(plan, slot);
    if ((failure = sandglass_root_add_scratch(plan, parameters->kind.scratch_bytes, user)).step) return failure;
    if ((failure = sandglass_slot_namespaces_enter_user(USER_NAMESPACE)).step) return failure;
    if ((failure = sandglass_identity_drop_capabilities()).step) return failure;
    // This step follows the change of user, which clears the death signal.
    if ((failure = setup_death_signal()).step) return failure;
    // Landlock and the filter remove permissions that the steps above need.
    if (plan->protections & SANDGLASS_PROTECTION_LANDLOCK && (failure = sandglass_landlock_restrict()).step)
        return failure;
    if ((failure = setup_child_signals()).step) return failure;
    if (plan->protections & SANDGLASS_PROTECTION_SYSTEM_CALL_FILTER)
        return sandglass_seccomp_install(&plan->slot_filter);
    return failure;
}

// MARK: Starting the command

// The command's standard streams, and optionally the memfd that holds the command.
enum { STREAMS = 3, MEMORY = STREAMS };

// Waits for the start request, possibly for hours. Returns the command.
static char *receive_start(struct sandglass_start_request *start, int descriptors[STREAMS + 1], size_t *length) {
    ssize_t received = sandglass_receive(CONTROL, start, sizeof *start, descriptors, STREAMS + 1);
    // The server has exited or needs this slot no longer.
    if (received <= 0 || start->kind != SANDGLASS_SLOT_START) _exit(0);
    const size_t before = offsetof(struct sandglass_start_request, command);
    bool is_complete = (size_t)received >= before && (size_t)received - before == start->length
        && descriptors[STREAMS - 1] >= 0 && (descriptors[MEMORY] < 0) == (start->length > 0);
    *length = start->length;
    char *command = NULL;
    if (is_complete) command = *length > 0 ? start->command : sandglass_request_map(descriptors[MEMORY], length);
    if (command) return command;
    if (!is_complete) errno = EBADMSG;
    give_up(sandglass_failed(SANDGLASS_STEP_REQUEST, -1));
}

struct supervision {
    pid_t command;
    struct sandglass_cgroup cgroup;
    uint64_t cpu_nanoseconds; // limit, if the group counts CPU time
    uint64_t cpu_seconds;     // limit of one process (RLIMIT_CPU)
    uint32_t processors;
    bool keeps_files;    // serve the output files after the command's end
    bool has_ended;      // the command's exit is recorded, and the rest of the run is in its grace period
    int oom_checks_left; // remaining checks
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
    struct sandglass_decoded_request request;
    if (!sandglass_request_read(text, length, &command, &request))
        give_up(sandglass_failed(SANDGLASS_STEP_REQUEST, -1));
    const struct sandglass_command *header = request.header;
    if (sandglass_cgroup_set_limits(&run->cgroup, header) < 0)
        give_up(sandglass_failed(SANDGLASS_STEP_LIMITS, 0));
    // Where the group limits the run as a whole, it alone decides.
    if (sandglass_cgroup_has(&run->cgroup, SANDGLASS_CGROUP_CPU_USAGE)) command.cpu_seconds = NO_RESOURCE_LIMIT;
    command.has_process_group = sandglass_cgroup_has(&run->cgroup, SANDGLASS_CGROUP_PROCESS_LIMIT);
    run->cpu_nanoseconds = header->cpu_nanoseconds;
    run->cpu_seconds = command.cpu_seconds;
    run->keeps_files = header->keeps_files != 0;
    run->processors = plan->processors > 0 ? plan->processors : 1;
    sandglass_cgroup_start_counting(&run->cgroup);
    // The input files are created under the limits of the run, because they count as its own memory.
    if (header->file_count > 0) {
        struct sandglass_failure failure = sandglass_request_create_files(&request, descriptors[MEMORY], CONTROL);
        if (failure.step) give_up(failure);
        // The command did not use the time that this took.
        run->cgroup.initial.cpu_nanoseconds = sandglass_cgroup_cpu_nanoseconds(&run->cgroup);
    }
    pid_t child = sandglass_command_start(&command);
    for (int i = 0; i <= STREAMS; i++)
        if (descriptors[i] >= 0) close(descriptors[i]);
    if (child < 0) give_up(command.failure);
    run->end.started_nanoseconds = command.started_nanoseconds;
    return child;
}

// MARK: Supervision

// OOM kills count only until the slot itself has sent a signal: later ones are a consequence of that signal.
static bool record_oom_kills(struct supervision *run) {
    if (run->end.signals_sent == 0) run->end.usage.oom_kills = sandglass_cgroup_oom_kills(&run->cgroup);
    return run->end.usage.oom_kills > 0;
}

// Returns whether RLIMIT_CPU ended the command. The signal alone does not show that. The exit record also has the time
// that the command ran.
static bool exceeded_cpu_limit(const struct supervision *run, int status, const struct rusage *usage) {
    // The group's clock decides alone.
    if (run->cpu_seconds == NO_RESOURCE_LIMIT) return false;
    if (!WIFSIGNALED(status) || (WTERMSIG(status) != SIGXCPU && WTERMSIG(status) != SIGKILL)) return false;
    uint64_t milliseconds = (uint64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000u
        + (uint64_t)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1000u;
    // The limit counts whole ticks in which the process was found running, and the exit record has the real time. The
    // real time is less on a loaded machine, or where a hypervisor takes time away.
    return milliseconds + 100 + run->cpu_seconds * 250u >= run->cpu_seconds * 1000u;
}

// Lets a process go on that made the slot its tracer (PTRACE_TRACEME, ptrace(2)). Its stops would look like exits, because
// wait(2) reports them whatever its options. A trap has no meaning without a tracer; every other signal is delivered.
static void release_tracee(pid_t process, int signal) {
    ptrace(PTRACE_DETACH, process, NULL, (void *)(intptr_t)(signal == SIGTRAP ? 0 : signal));
}

// Returns whether the kernel has recorded the command's exit. The verdict rests on this record alone.
static bool read_exit(struct supervision *run, int options) {
    int status;
    struct rusage usage;
    // Another process may have the command's pid by now.
    if (run->has_ended) return true;
    for (;;) {
        pid_t ended = wait4(run->command, &status, options, &usage);
        if (ended < 0 && errno == EINTR) continue;
        if (ended != run->command) return false;
        if (!WIFSTOPPED(status)) break;
        release_tracee(run->command, WSTOPSIG(status));
    }
    record_oom_kills(run);
    if (run->end.signals_sent == 0 && exceeded_cpu_limit(run, status, &usage))
        run->end.signals_sent |= SANDGLASS_SENT_CPU_LIMIT_KILL;
    run->end.wait_status = status;
    run->end.ended_nanoseconds = sandglass_monotonic_nanoseconds();
    run->has_ended = true;
    return true;
}

static _Noreturn void finish(struct supervision *run) {
    // Kills the remaining processes. Most commands leave none, and every orphan is a child of this process. The
    // kernel serializes fork(2) with a signal to all processes, so no child escapes.
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
    usage->peak_bytes = usage->resident_bytes = (uint64_t)children.ru_maxrss * 1024u;
    struct sandglass_cgroup_reading now = sandglass_cgroup_read(&run->cgroup);
    sandglass_cgroup_add_usage(&run->cgroup, &now, usage);
    run->end.kind = SANDGLASS_SLOT_ENDED;
    report(&run->end);
    if (run->keeps_files) sandglass_output_files_serve(CONTROL);
    _exit(0);
}

// Ends the run if its command has ended. In the grace period after SIGTERM, all its processes must have ended: SIGTERM
// went to each of them, and each has the same time to handle it.
static void finish_if_over(struct supervision *run) {
    if (!read_exit(run, WNOHANG)) return;
    bool is_in_grace = run->end.signals_sent == SANDGLASS_SENT_TERMINATE;
    siginfo_t any = {0};
    if (!is_in_grace || (waitid(P_ALL, 0, &any, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD)) finish(run);
}

// Returns whether more orphans may be waiting.
static bool reap_orphans(struct supervision *run) {
    for (int i = 0; i < REAPED_AT_ONCE; i++) {
        // WNOWAIT: only read_exit may reap the command itself.
        siginfo_t ended = {0};
        if (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) < 0 || ended.si_pid == 0) {
            finish_if_over(run);
            return false;
        }
        if (ended.si_code == CLD_TRAPPED || ended.si_code == CLD_STOPPED) {
            release_tracee(ended.si_pid, ended.si_status);
            continue;
        }
        if (ended.si_pid == run->command && !run->has_ended) {
            finish_if_over(run);
            continue;
        }
        wait4(ended.si_pid, NULL, WNOHANG, NULL);
    }
    return true;
}

static void kill_all(struct supervision *run, uint32_t act) {
    // If the kernel has already recorded the command's own exit, that exit is what counts.
    if (read_exit(run, WNOHANG)) finish(run);
    record_oom_kills(run);
    run->end.signals_sent |= act;
    kill(-1, SIGKILL);
    if (read_exit(run, 0)) finish(run);
}

static void handle_request(struct supervision *run) {
    struct sandglass_slot_request request = {0};
    ssize_t received = sandglass_receive(CONTROL, &request, sizeof request, NULL, 0);
    // The server has exited. The exit of pid 1 ends everything in its namespace.
    if (received <= 0) _exit(0);
    switch (request.kind) {
    case SANDGLASS_SLOT_TERMINATE:
        // Without a SIGTERM of the slot, the end of the command is the end of the run.
        finish_if_over(run);
        record_oom_kills(run);
        run->end.signals_sent |= SANDGLASS_SENT_TERMINATE;
        kill(-1, SIGTERM);
        // A stopped process cannot handle a signal.
        kill(-1, SIGCONT);
        break;
    case SANDGLASS_SLOT_KILL: kill_all(run, SANDGLASS_SENT_KILL); break;
    default: break;
    }
}

static void check_oom(struct supervision *run, bool is_notified) {
    uint64_t ignored;
    if (is_notified && read(sandglass_cgroup_descriptor(SANDGLASS_CGROUP_OOM_EVENT), &ignored, sizeof ignored) > 0)
        run->oom_checks_left = OOM_CHECKS;
    if (run->oom_checks_left == 0) return;
    run->oom_checks_left--;
    // Version 2 does this by itself (memory.oom.group). A run that lost a process to the OOM killer is over.
    if (sandglass_cgroup_oom_kills(&run->cgroup) > 0) kill_all(run, SANDGLASS_SENT_KILL);
}

// Returns the time in nanoseconds in which the run cannot reach its CPU time limit, or -1 if the group does not count
// CPU time.
static int64_t check_cpu(struct supervision *run) {
    if (!sandglass_cgroup_has(&run->cgroup, SANDGLASS_CGROUP_CPU_USAGE)) return -1;
    uint64_t used = sandglass_cgroup_cpu_nanoseconds(&run->cgroup) - run->cgroup.initial.cpu_nanoseconds;
    if (used >= run->cpu_nanoseconds) kill_all(run, SANDGLASS_SENT_CPU_LIMIT_KILL);
    int64_t wait = (int64_t)((run->cpu_nanoseconds - used) / run->processors);
    return wait > cpu_check_nanoseconds ? wait : cpu_check_nanoseconds;
}

static struct timespec *set_time(struct timespec *time, int64_t nanoseconds) {
    if (nanoseconds < 0) return NULL;
    time->tv_sec = nanoseconds / 1000000000;
    time->tv_nsec = nanoseconds % 1000000000;
    return time;
}

static _Noreturn void supervise(struct supervision *run) {
    bool watches_oom = sandglass_cgroup_has(&run->cgroup, SANDGLASS_CGROUP_OOM_EVENT);
    struct pollfd events[] = {
        {.fd = CHILD_SIGNALS, .events = POLLIN},
        {.fd = CONTROL, .events = POLLIN},
        // ppoll(2) ignores negative descriptors.
        {.fd = watches_oom ? sandglass_cgroup_descriptor(SANDGLASS_CGROUP_OOM_EVENT) : -1, .events = POLLIN},
    };
    // No CPU time is used yet, so the first check can wait.
    uint64_t next_cpu_check = sandglass_monotonic_nanoseconds() + run->cpu_nanoseconds / run->processors;
    bool counts_cpu = sandglass_cgroup_has(&run->cgroup, SANDGLASS_CGROUP_CPU_USAGE);
    bool more = false;
    for (;;) {
        int64_t wait = -1;
        if (counts_cpu) {
            uint64_t now = sandglass_monotonic_nanoseconds();
            if (now >= next_cpu_check) next_cpu_check = now + (uint64_t)check_cpu(run);
            wait = (int64_t)(next_cpu_check - now);
        }
        if (run->oom_checks_left > 0 && (wait < 0 || wait > oom_check_nanoseconds)) wait = oom_check_nanoseconds;
        if (more) wait = 0;
        struct timespec time;
        if (ppoll(events, 3, set_time(&time, wait), NULL) < 0) continue;
        if (events[0].revents) {
            struct signalfd_siginfo ignored;
            while (read(CHILD_SIGNALS, &ignored, sizeof ignored) > 0) {}
        }
        // The kernel merges SIGCHLDs. Therefore the command's exit is queried by its pid and cannot get lost among
        // orphans.
        if (events[0].revents || more) finish_if_over(run);
        if (events[1].revents) handle_request(run);
        check_oom(run, events[2].revents != 0);
        more = (events[0].revents || more) && reap_orphans(run);
    }
}

// Async-signal-safe, like every function above.
_Noreturn void sandglass_slot_run(
    const struct sandglass_plan *plan, const struct sandglass_slot_parameters *parameters
) {
    struct sandglass_failure failure = setup_descriptors(plan, parameters);
    if (!failure.step) failure = set_up(plan, parameters);
    if (failure.step) give_up(failure);

    struct supervision run = {.cgroup = parameters->cgroup};
    run.command = start_command(plan, &run);
    run.end.kind = SANDGLASS_SLOT_STARTED;
    report(&run.end);
    supervise(&run);
}
