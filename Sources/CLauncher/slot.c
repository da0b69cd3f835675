#include "slot.h"

#include "command.h"
#include "filter.h"
#include "identity.h"
#include "landlock.h"
#include "root.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

// The slot's descriptors, beside 0 to 2 on /dev/null.
enum { CONTROL = 3, CHILD_SIGNALS = 4 };

// Orphans reaped before the slot looks at its control socket again: a fork bomb makes them without end.
enum { REAPED_AT_ONCE = 64 };

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

static struct sandglass_failure setup_descriptors(int control) {
    // The launcher's socket must not live on in its slots: its end tells the server that the launcher is gone.
    if (dup2(control, CONTROL) < 0 || fcntl(CONTROL, F_SETFD, FD_CLOEXEC) < 0
        || syscall(SYS_close_range, CONTROL + 1, ~0u, 0) < 0)
        return sandglass_failed(SANDGLASS_STEP_SIGNALS, 0);
    return sandglass_no_failure();
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

static struct sandglass_failure set_up(const struct sandglass_plan *plan, uint32_t walls, uint32_t slot) {
    struct sandglass_failure failure;
    // As root of the launcher's user namespace.
    if ((failure = setup_host_name(plan)).step) return failure;
    if ((failure = sandglass_root_add_proc()).step) return failure;
    if ((failure = sandglass_root_add_scratch(plan, sandglass_identity_host_user(plan, slot))).step) return failure;
    // Walls of the network namespace and cgroup limits belong here: they need the privilege that goes next.
    setup_priority(plan);
    if ((failure = sandglass_identity_change_user(plan, slot)).step) return failure;
    if ((failure = sandglass_identity_enter_user_namespace(plan, slot)).step) return failure;
    if ((failure = sandglass_identity_drop_capabilities()).step) return failure;
    // After the change of user, which clears it.
    if ((failure = setup_death_signal()).step) return failure;
    // Both take away what the steps above need.
    if (walls & SANDGLASS_WALL_LANDLOCK && (failure = sandglass_landlock_restrict(plan)).step) return failure;
    if ((failure = setup_child_signals()).step) return failure;
    if (walls & SANDGLASS_WALL_SYSTEM_CALL_FILTER) return sandglass_filter_install(plan);
    return failure;
}

// MARK: Starting the command

// Takes the next string of the command's text. NULL when there is none.
static char *next_string(char **at, const char *end) {
    char *string = *at;
    char *terminator = string < end ? memchr(string, '\0', (size_t)(end - string)) : NULL;
    if (!terminator) return NULL;
    *at = terminator + 1;
    return string;
}

static bool take_strings(char **vector, uint32_t count, char **at, const char *end) {
    for (uint32_t i = 0; i < count; i++) {
        vector[i] = next_string(at, end);
        if (!vector[i]) return false;
    }
    vector[count] = NULL;
    return true;
}

// Reads the memfd into `command`. The mappings are left to the slot's end: it has no second command.
static bool read_command(int file, struct sandglass_prepared_command *command) {
    struct stat status;
    if (fstat(file, &status) < 0) return false;
    size_t length = (size_t)status.st_size;
    errno = EBADMSG;
    if (length < sizeof(struct sandglass_command)) return false;
    char *text = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    if (text == MAP_FAILED) return false;

    const struct sandglass_command *header = (const void *)text;
    size_t pointers = (size_t)header->argument_count + header->environment_count + 2;
    errno = EBADMSG;
    if (header->argument_count == 0 || pointers > length + 2) return false;
    char **vector = mmap(NULL, pointers * sizeof *vector, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (vector == MAP_FAILED) return false;

    char *at = text + sizeof *header;
    const char *end = text + length;
    errno = EBADMSG;
    command->working_directory = next_string(&at, end);
    command->path = next_string(&at, end);
    if (!command->working_directory || !command->path) return false;
    command->arguments = vector;
    command->environment = vector + header->argument_count + 1;
    command->open_files = header->open_files;
    command->processes = header->processes;
    return take_strings(command->arguments, header->argument_count, &at, end)
        && take_strings(command->environment, header->environment_count, &at, end) && at == end;
}

// Waits for the request to start; the slot may stand here for hours.
static void receive_start(int descriptors[4]) {
    struct sandglass_slot_request request = {0};
    ssize_t received = sandglass_receive(CONTROL, &request, sizeof request, descriptors, 4);
    // The server is gone, or it does not need this slot any more.
    if (received <= 0 || request.kind != SANDGLASS_SLOT_START) _exit(0);
    if (received != sizeof request || descriptors[3] < 0) {
        errno = EBADMSG;
        give_up(sandglass_failed(SANDGLASS_STEP_REQUEST, -1));
    }
}

static pid_t start_command(const struct sandglass_plan *plan, uint64_t *started_nanoseconds) {
    int descriptors[4];
    receive_start(descriptors);
    struct sandglass_prepared_command command = {
        .streams = {descriptors[1], descriptors[2], descriptors[3]},
        .nice = plan->command_nice,
    };
    if (!read_command(descriptors[0], &command)) give_up(sandglass_failed(SANDGLASS_STEP_REQUEST, -1));
    pid_t child = sandglass_command_start(&command);
    for (int i = 0; i < 4; i++) close(descriptors[i]);
    if (child < 0) give_up(command.failure);
    *started_nanoseconds = command.started_nanoseconds;
    return child;
}

// MARK: Supervising it

struct supervision {
    pid_t command;
    struct sandglass_slot_report end;
};

// Whether the kernel has recorded the command's end. This record, and nothing else, is what the verdict
// rests on.
static bool read_end(struct supervision *run, int options) {
    int status;
    pid_t ended;
    do ended = wait4(run->command, &status, options, NULL);
    while (ended < 0 && errno == EINTR);
    if (ended != run->command) return false;
    run->end.wait_status = status;
    run->end.ended_nanoseconds = sandglass_monotonic_nanoseconds();
    return true;
}

static _Noreturn void finish(struct supervision *run) {
    // Whatever the command left behind. fork(2) and a signal to everybody exclude one another in the kernel,
    // so no child slips through.
    kill(-1, SIGKILL);
    for (;;) {
        if (wait4(-1, NULL, 0, NULL) < 0 && errno != EINTR) break;
    }
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    run->end.kind = SANDGLASS_SLOT_ENDED;
    run->end.user_microseconds = (uint64_t)usage.ru_utime.tv_sec * 1000000u + (uint64_t)usage.ru_utime.tv_usec;
    run->end.system_microseconds = (uint64_t)usage.ru_stime.tv_sec * 1000000u + (uint64_t)usage.ru_stime.tv_usec;
    run->end.peak_resident_bytes = (uint64_t)usage.ru_maxrss * 1024u;
    report(&run->end);
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

static void obey(struct supervision *run) {
    struct sandglass_slot_request request = {0};
    ssize_t received = sandglass_receive(CONTROL, &request, sizeof request, NULL, 0);
    // Nobody is left to tell. Pid 1's end is the end of everything in its namespace.
    if (received <= 0) _exit(0);
    // The command's own end comes first, if the kernel has recorded one.
    if (read_end(run, WNOHANG)) finish(run);
    switch (request.kind) {
    case SANDGLASS_SLOT_TERMINATE:
        run->end.acts |= SANDGLASS_ACT_TERMINATED;
        kill(-1, SIGTERM);
        // A stopped process does not see a signal that it may handle.
        kill(-1, SIGCONT);
        break;
    case SANDGLASS_SLOT_KILL:
        run->end.acts |= SANDGLASS_ACT_KILLED;
        kill(-1, SIGKILL);
        if (read_end(run, 0)) finish(run);
        break;
    default:
        break;
    }
}

static _Noreturn void supervise(struct supervision *run) {
    struct pollfd events[] = {{.fd = CHILD_SIGNALS, .events = POLLIN}, {.fd = CONTROL, .events = POLLIN}};
    bool more = false;
    for (;;) {
        if (poll(events, 2, more ? 0 : -1) < 0) continue;
        if (events[0].revents) {
            struct signalfd_siginfo ignored;
            while (read(CHILD_SIGNALS, &ignored, sizeof ignored) > 0) {}
        }
        // SIGCHLDs are merged, so the command is asked after by its own pid and never lost among orphans.
        if ((events[0].revents || more) && read_end(run, WNOHANG)) finish(run);
        if (events[1].revents) obey(run);
        more = (events[0].revents || more) && reap_orphans(run);
    }
}

// Async-signal-safe, like all of the above.
_Noreturn void sandglass_slot_run(const struct sandglass_plan *plan, uint32_t walls, uint32_t slot, int control) {
    struct sandglass_failure failure = setup_descriptors(control);
    if (!failure.step) failure = set_up(plan, walls, slot);
    if (failure.step) give_up(failure);

    struct supervision run = {0};
    run.command = start_command(plan, &run.end.started_nanoseconds);
    run.end.kind = SANDGLASS_SLOT_STARTED;
    report(&run.end);
    supervise(&run);
}
