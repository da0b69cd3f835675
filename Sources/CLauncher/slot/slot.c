#include "slot.h"

#include "../isolation/cgroup_view.h"
#include "../isolation/identity.h"
#include "../isolation/landlock.h"
#include "../isolation/network.h"
#include "../isolation/root.h"
#include "../isolation/slot_namespaces.h"
#include "../set_up_calls.h"
#include "command.h"
#include "request.h"
#include "supervision.h"

#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

static _Noreturn void give_up(struct sandglass_failure failure) {
    struct sandglass_slot_report failed = {.kind = SANDGLASS_SLOT_FAILED, .failure = failure};
    sandglass_slot_report(&failed);
    _exit(1);
}

// MARK: Set-up

static struct sandglass_failure setup_descriptors(
    const struct sandglass_plan *plan, const struct sandglass_slot_parameters *parameters
) {
    // The launcher's socket must not stay open in slots, because its end tells the server that the launcher has
    // exited. A slot keeps only the files of its group.
    int first = parameters->cgroup.version == 0 ? SANDGLASS_CGROUP_FIRST_FILE : SANDGLASS_CGROUP_END;
    if (dup3(parameters->control, SLOT_CONTROL, O_CLOEXEC) < 0
        || dup3(parameters->user_namespace, SLOT_USER_NAMESPACE, O_CLOEXEC) < 0)
        return sandglass_failed(SANDGLASS_STEP_SIGNALS, 0);
    // Uses descriptors that are closed next.
    if (sandglass_cgroup_join_quota(&plan->cgroups, parameters->slot, &parameters->cgroup) < 0)
        return sandglass_failed(SANDGLASS_STEP_CONTROL_GROUP, 7);
    if (sandglass_network_choose(plan, &parameters->kind) < 0) return sandglass_failed(SANDGLASS_STEP_NETWORK, 2);
    struct sandglass_failure failure = sandglass_root_enter_image(plan, parameters->kind.image);
    if (!failure.step
        && sandglass_cgroup_show_slot(plan, &parameters->cgroup, parameters->kind.image > 0) < 0)
        failure = sandglass_failed(SANDGLASS_STEP_CONTROL_GROUP, 8);
    if (!failure.step && syscall(SYS_close_range, first, ~0u, 0) < 0)
        failure = sandglass_failed(SANDGLASS_STEP_SIGNALS, 0);
    return failure;
}

static struct sandglass_failure setup_host_name(const struct sandglass_plan *plan) {
    if (sandglass_set_host_name(plan, plan->host_name, strlen(plan->host_name)) < 0)
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
    if (file != SLOT_CHILD_SIGNALS) return sandglass_failed(SANDGLASS_STEP_SIGNALS, 1);
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
    if ((failure = sandglass_root_add_proc(plan)).step) return failure;
    if ((failure = setup_memory_shortage(plan)).step) return failure;
    if ((failure = sandglass_root_restrict_proc(plan)).step) return failure;
    // Protections of the network namespace belong here: they need the privilege that is dropped next.
    setup_priority(plan);
    if ((failure = sandglass_identity_change_user(plan, slot)).step) return failure;
    uint32_t user = sandglass_identity_host_user(plan, slot);
    if ((failure = sandglass_root_add_scratch(plan, parameters->kind.scratch_bytes, user)).step) return failure;
    if ((failure = sandglass_slot_namespaces_enter_user(plan, SLOT_USER_NAMESPACE)).step) return failure;
    if ((failure = sandglass_identity_drop_capabilities()).step) return failure;
    // This step follows the change of user, which clears the death signal.
    if ((failure = setup_death_signal()).step) return failure;
    // Landlock removes permissions that the steps above need.
    if (plan->protections & SANDGLASS_PROTECTION_LANDLOCK && (failure = sandglass_landlock_restrict()).step)
        return failure;
    return setup_child_signals();
}

// MARK: Starting the command

// The command's standard streams, and optionally the memfd that holds the command.
enum { STREAMS = 3, MEMORY = STREAMS };

// Waits for the start request, possibly for hours. Returns the command.
static char *receive_start(struct sandglass_start_request *start, int descriptors[STREAMS + 1], size_t *length) {
    ssize_t received = sandglass_receive(SLOT_CONTROL, start, sizeof *start, descriptors, STREAMS + 1);
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

static pid_t start_command(const struct sandglass_plan *plan, struct sandglass_supervision *run) {
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
        struct sandglass_failure failure = sandglass_request_create_files(&request, descriptors[MEMORY], SLOT_CONTROL);
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

// Async-signal-safe, like every function above.
_Noreturn void sandglass_slot_run(
    const struct sandglass_plan *plan, const struct sandglass_slot_parameters *parameters
) {
    struct sandglass_failure failure = setup_descriptors(plan, parameters);
    if (!failure.step) failure = set_up(plan, parameters);
    if (failure.step) give_up(failure);

    struct sandglass_supervision run = {.cgroup = parameters->cgroup};
    run.command = start_command(plan, &run);
    run.end.kind = SANDGLASS_SLOT_STARTED;
    sandglass_slot_report(&run.end);
    sandglass_supervise(&run);
}
