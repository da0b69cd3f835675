#include "zygote.h"

#include "../descriptors.h"
#include "../isolation/cgroup_view.h"
#include "../isolation/network.h"
#include "../isolation/slot_namespaces.h"
#include "../set_up_calls.h"

#include <fcntl.h>
#include <sys/prctl.h>

// The zygote's descriptors, in addition to those of its group and 0 to 2 on /dev/null.
enum { LAUNCHER = 3, REPORTS = 4 };

static void report(const struct sandglass_zygote_report *report) {
    sandglass_send_descriptors(REPORTS, report, sizeof *report, NULL, 0);
}

static int keep_descriptors(int launcher, int reports) {
    int moved = fcntl(reports, F_DUPFD_CLOEXEC, SANDGLASS_CGROUP_END);
    if (moved < 0 || dup3(launcher, LAUNCHER, O_CLOEXEC) < 0 || dup3(moved, REPORTS, O_CLOEXEC) < 0) return -1;
    return 0;
}

static int setup_process(void) {
    // The zygote must die with the launcher.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) return -1;
    prctl(PR_SET_NAME, "sg-zygote");
    return 0;
}

static struct sandglass_failure enter_namespaces(const struct sandglass_plan *plan, uint32_t slot) {
    // Successive slots of this number share the network namespace (network.h).
    if (sandglass_network_is_kept(plan) && sandglass_unshare(plan, CLONE_NEWNET) < 0)
        return sandglass_failed(SANDGLASS_STEP_NETWORK, -1);
    struct sandglass_slot_namespaces namespaces;
    struct sandglass_failure failure = sandglass_slot_namespaces_make(plan, slot, &namespaces);
    if (failure.step) return failure;
    if (dup3(namespaces.user, SANDGLASS_USER_NAMESPACE, O_CLOEXEC) < 0
        || dup3(namespaces.queues, SANDGLASS_QUEUES, O_CLOEXEC) < 0
        || dup3(namespaces.network[SANDGLASS_NETWORK_SOCKETS], SANDGLASS_SOCKETS, O_CLOEXEC) < 0
        || dup3(namespaces.network[SANDGLASS_NETWORK_TRAFFIC], SANDGLASS_TRAFFIC, O_CLOEXEC) < 0
        || sandglass_slot_namespaces_enter_ipc(plan, namespaces.ipc) < 0)
        failure = sandglass_failed(SANDGLASS_STEP_USER_NAMESPACE, 4);
    sandglass_slot_namespaces_close(&namespaces);
    return failure;
}

static struct sandglass_failure set_up(
    const struct sandglass_plan *plan, uint32_t slot, int launcher, int reports, struct sandglass_cgroup *cgroup
) {
    if (keep_descriptors(launcher, reports) < 0 || setup_process() < 0)
        return sandglass_failed(SANDGLASS_STEP_CONTROL_GROUP, 0);
    // The namespaces are made before the group counts the zygote's memory.
    struct sandglass_failure failure = enter_namespaces(plan, slot);
    if (failure.step) return failure;
    // For the view of the groups (cgroup_view.h).
    if (sandglass_unshare(plan, CLONE_NEWNS) < 0) return sandglass_failed(SANDGLASS_STEP_CONTROL_GROUP, 9);
    if (sandglass_cgroup_attach(&plan->cgroups, slot) < 0) return sandglass_failed(SANDGLASS_STEP_CONTROL_GROUP, 1);
    if (sandglass_cgroup_open(&plan->cgroups, slot, cgroup) < 0)
        return sandglass_failed(SANDGLASS_STEP_CONTROL_GROUP, 2);
    sandglass_cgroup_watch_oom(&plan->cgroups, slot, cgroup);
    if (sandglass_cgroup_show(plan) < 0) return sandglass_failed(SANDGLASS_STEP_CONTROL_GROUP, 8);
    return sandglass_no_failure();
}

static void make_slot(const struct sandglass_plan *plan, struct sandglass_slot_parameters *parameters) {
    struct sandglass_failure failure = sandglass_no_failure();
    pid_t pid = -1;
    struct sandglass_slot_namespaces own = {
        .queues = SANDGLASS_QUEUES, .network = {SANDGLASS_SOCKETS, SANDGLASS_TRAFFIC}
    };
    // The memory of objects that a run has left is freed only some time after their namespace.
    bool needs_group = !sandglass_slot_namespaces_have_empty_ipc(&own);
    if (!sandglass_slot_namespaces_are_unused(plan, &own)) failure = enter_namespaces(plan, parameters->slot);
    if (!failure.step && !needs_group) {
        sandglass_cgroup_reset(&plan->cgroups, parameters->slot, &parameters->cgroup);
        needs_group = sandglass_cgroup_has_leftovers(&parameters->cgroup);
    }
    if (!failure.step && needs_group
        && (sandglass_cgroup_renew(&plan->cgroups, parameters->slot, &parameters->cgroup) < 0
            || sandglass_cgroup_show_again(plan) < 0))
        failure = sandglass_failed(SANDGLASS_STEP_CONTROL_GROUP, 10);
    if (!failure.step) {
        uint64_t quota = parameters->kind.cpu_quota_microseconds;
        if (sandglass_cgroup_limit_processors(&plan->cgroups, parameters->slot, &parameters->cgroup, quota) < 0)
            failure = sandglass_failed(SANDGLASS_STEP_CONTROL_GROUP, 6);
    }
    if (!failure.step) {
        pid = sandglass_clone3(plan, sandglass_slot_clone_flags(&parameters->kind) | CLONE_PARENT, -1);
        if (pid == 0) sandglass_slot_run(plan, parameters);
        if (pid < 0) failure = sandglass_failed(SANDGLASS_STEP_CLONE, -1);
    }
    struct sandglass_zygote_report made = {
        .slot = parameters->slot, .pid = pid, .failure = failure, .cgroup = parameters->cgroup
    };
    if (pid < 0) {
        struct sandglass_slot_report failed = {.kind = SANDGLASS_SLOT_FAILED, .failure = made.failure};
        send(parameters->control, &failed, sizeof failed, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    report(&made);
    // Reports do not wake the launcher, but the exit of a child does.
    if (pid < 0) _exit(1);
}

static _Noreturn void run(const struct sandglass_plan *plan, uint32_t slot, int launcher, int reports) {
    struct sandglass_slot_parameters parameters = {.slot = slot, .user_namespace = SANDGLASS_USER_NAMESPACE};
    struct sandglass_zygote_report first = {.slot = slot};
    first.failure = set_up(plan, slot, launcher, reports, &parameters.cgroup);
    first.cgroup = parameters.cgroup;
    if (first.failure.step) {
        first.pid = -1;
        first.has_ended = true;
    }
    report(&first);
    if (first.failure.step) _exit(1);
    // The sockets of the launcher and of other zygotes. A process that waits for their end must not have to wait for
    // this one.
    int kept = SANDGLASS_CGROUP_END;
    for (uint32_t i = 0; i < SANDGLASS_CONTROLLERS; i++)
        if (plan->cgroups.directories[i] >= kept) kept = plan->cgroups.directories[i] + 1;
    syscall(SYS_close_range, kept, plan->allows_host_network ? SANDGLASS_HOST_NETWORK - 1 : SANDGLASS_HOST_NETWORK, 0);
    syscall(SYS_close_range, SANDGLASS_IMAGES_BEGIN + plan->image_count, ~0u, 0);
    for (;;) {
        struct sandglass_zygote_request request = {0};
        ssize_t received = sandglass_receive(LAUNCHER, &request, sizeof request, &parameters.control, 1);
        if (received <= 0) _exit(0);
        if (received == sizeof request && parameters.control >= 0) {
            parameters.kind = request.slot_kind;
            make_slot(plan, &parameters);
        }
        if (parameters.control >= 0) close(parameters.control);
    }
}

// Async-signal-safe, like every function above.
pid_t sandglass_zygote_start(const struct sandglass_plan *plan, uint32_t slot, int reports, int *socket_out) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return -1;
    pid_t pid = sandglass_clone3(plan, 0, -1);
    if (pid == 0) run(plan, slot, ends[1], reports);
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
