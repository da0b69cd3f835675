#include "supervision.h"

#include "command.h"
#include "output_files.h"

#include <poll.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

// The number of orphans reaped before the slot checks its control socket again: a fork bomb makes them without end.
enum { REAPED_AT_ONCE = 64 };

// The number of checks for a kill after an OOM event, one millisecond apart. The kill follows within microseconds, or
// never if the victim was already exiting.
enum { OOM_CHECKS = 50 };
static const int64_t oom_check_nanoseconds = 1000000;
// The minimum time between two checks of the CPU time used. A run can exceed its limit by this much on each
// processor.
static const int64_t cpu_check_nanoseconds = 5000000;

// Async-signal-safe.
void sandglass_slot_report(const struct sandglass_slot_report *report) {
    // If the server has exited, nothing reads the report. The slot notices it by the end of its control socket.
    while (send(SLOT_CONTROL, report, sizeof *report, MSG_NOSIGNAL) < 0 && errno == EINTR) {}
}

// OOM kills count only until the slot itself has sent a signal: later ones are a consequence of that signal.
static bool record_oom_kills(struct sandglass_supervision *run) {
    if (run->end.signals_sent == 0) run->end.usage.oom_kills = sandglass_cgroup_oom_kills(&run->cgroup);
    return run->end.usage.oom_kills > 0;
}

// Returns whether RLIMIT_CPU ended the command. The signal alone does not show that. The exit record also has the time
// that the command ran.
static bool exceeded_cpu_limit(const struct sandglass_supervision *run, int status, const struct rusage *usage) {
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
static bool read_exit(struct sandglass_supervision *run, int options) {
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

static _Noreturn void finish(struct sandglass_supervision *run) {
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
    sandglass_slot_report(&run->end);
    if (run->keeps_files) sandglass_output_files_serve(SLOT_CONTROL);
    _exit(0);
}

// Ends the run if its command has ended. In the grace period after SIGTERM, all its processes must have ended: SIGTERM
// went to each of them, and each has the same time to handle it.
static void finish_if_over(struct sandglass_supervision *run) {
    if (!read_exit(run, WNOHANG)) return;
    bool is_in_grace = run->end.signals_sent == SANDGLASS_SENT_TERMINATE;
    siginfo_t any = {0};
    if (!is_in_grace || (waitid(P_ALL, 0, &any, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD)) finish(run);
}

// Returns whether more orphans may be waiting.
static bool reap_orphans(struct sandglass_supervision *run) {
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

static void kill_all(struct sandglass_supervision *run, uint32_t act) {
    // If the kernel has already recorded the command's own exit, that exit is what counts.
    if (read_exit(run, WNOHANG)) finish(run);
    record_oom_kills(run);
    run->end.signals_sent |= act;
    kill(-1, SIGKILL);
    if (read_exit(run, 0)) finish(run);
}

static void handle_request(struct sandglass_supervision *run) {
    struct sandglass_slot_request request = {0};
    ssize_t received = sandglass_receive(SLOT_CONTROL, &request, sizeof request, NULL, 0);
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

static void check_oom(struct sandglass_supervision *run, bool is_notified) {
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
static int64_t check_cpu(struct sandglass_supervision *run) {
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

// Async-signal-safe, like every function above.
_Noreturn void sandglass_supervise(struct sandglass_supervision *run) {
    bool watches_oom = sandglass_cgroup_has(&run->cgroup, SANDGLASS_CGROUP_OOM_EVENT);
    struct pollfd events[] = {
        {.fd = SLOT_CHILD_SIGNALS, .events = POLLIN},
        {.fd = SLOT_CONTROL, .events = POLLIN},
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
            while (read(SLOT_CHILD_SIGNALS, &ignored, sizeof ignored) > 0) {}
        }
        // The kernel merges SIGCHLDs. Therefore the command's exit is queried by its pid and cannot get lost among
        // orphans.
        if (events[0].revents || more) finish_if_over(run);
        if (events[1].revents) handle_request(run);
        check_oom(run, events[2].revents != 0);
        more = (events[0].revents || more) && reap_orphans(run);
    }
}
