#include "zygote.h"

#include "descriptors.h"
#include "lease.h"
#include "network.h"

#include <fcntl.h>
#include <sys/prctl.h>

// The zygote's descriptors, beside those of its group and 0 to 2 on /dev/null.
enum { LAUNCHER = 3, REPORTS = 4 };

static void report(const struct sandglass_zygote_report *report) {
    sandglass_send_with(REPORTS, report, sizeof *report, NULL, 0);
}

static int keep_descriptors(int launcher, int reports) {
    int far = fcntl(reports, F_DUPFD_CLOEXEC, SANDGLASS_GROUP_END);
    if (far < 0 || dup3(launcher, LAUNCHER, O_CLOEXEC) < 0 || dup3(far, REPORTS, O_CLOEXEC) < 0) return -1;
    return 0;
}

static int setup_process(void) {
    // The launcher's death is the zygote's.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) return -1;
    prctl(PR_SET_NAME, "sg-zygote");
    return 0;
}

static struct sandglass_failure take_lease(const struct sandglass_plan *plan, uint32_t slot) {
    struct sandglass_lease lease;
    struct sandglass_failure failure = sandglass_lease_make(plan, slot, &lease);
    if (failure.step) return failure;
    if (dup3(lease.user, SANDGLASS_USER_NAMESPACE, O_CLOEXEC) < 0 || dup3(lease.queues, SANDGLASS_QUEUES, O_CLOEXEC) < 0
        || sandglass_lease_enter_ipc(lease.ipc) < 0)
        failure = sandglass_failed(SANDGLASS_STEP_USER_NAMESPACE, 4);
    sandglass_lease_end(&lease);
    return failure;
}

static struct sandglass_failure set_up(
    const struct sandglass_plan *plan, uint32_t slot, int launcher, int reports, struct sandglass_group *group
) {
    if (keep_descriptors(launcher, reports) < 0 || setup_process() < 0)
        return sandglass_failed(SANDGLASS_STEP_CONTROL_GROUP, 0);
    // Of all slots of this number, one after the other (network.h). Before its memory is counted.
    if (sandglass_network_is_leased(plan) && syscall(SYS_unshare, CLONE_NEWNET) < 0)
        return sandglass_failed(SANDGLASS_STEP_NETWORK, -1);
    struct sandglass_failure failure = take_lease(plan, slot);
    if (failure.step) return failure;
    if (sandglass_group_attach(&plan->cgroups, slot) < 0) return sandglass_failed(SANDGLASS_STEP_CONTROL_GROUP, 1);
    if (sandglass_group_open(&plan->cgroups, slot, group) < 0) return sandglass_failed(SANDGLASS_STEP_CONTROL_GROUP, 2);
    sandglass_group_watch_oom(&plan->cgroups, slot, group);
    return sandglass_no_failure();
}

static void make_slot(const struct sandglass_plan *plan, struct sandglass_birth *birth) {
    struct sandglass_failure failure = sandglass_no_failure();
    pid_t pid = -1;
    if (!sandglass_lease_is_empty(SANDGLASS_QUEUES)) failure = take_lease(plan, birth->slot);
    if (!failure.step) {
        sandglass_group_renew(&plan->cgroups, birth->slot, &birth->group);
        pid = sandglass_clone3(sandglass_slot_namespaces(&birth->kind) | CLONE_PARENT, -1);
        if (pid == 0) sandglass_slot_run(plan, birth);
        if (pid < 0) failure = sandglass_failed(SANDGLASS_STEP_CLONE, -1);
    }
    struct sandglass_zygote_report made = {.slot = birth->slot, .pid = pid, .failure = failure, .group = birth->group};
    if (pid < 0) {
        struct sandglass_slot_report failed = {.kind = SANDGLASS_SLOT_FAILED, .failure = made.failure};
        send(birth->control, &failed, sizeof failed, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    report(&made);
    // The launcher is not woken by reports, but by the end of its children.
    if (pid < 0) _exit(1);
}

static _Noreturn void run(const struct sandglass_plan *plan, uint32_t slot, int launcher, int reports) {
    struct sandglass_birth birth = {.slot = slot, .user_namespace = SANDGLASS_USER_NAMESPACE};
    struct sandglass_zygote_report first = {.slot = slot};
    first.failure = set_up(plan, slot, launcher, reports, &birth.group);
    first.group = birth.group;
    if (first.failure.step) {
        first.pid = -1;
        first.has_ended = true;
    }
    report(&first);
    if (first.failure.step) _exit(1);
    // Other zygotes' sockets, and the launcher's own: whoever waits for their end must not wait for this process.
    int kept = SANDGLASS_GROUP_END;
    for (uint32_t i = 0; i < SANDGLASS_CONTROLLERS; i++)
        if (plan->cgroups.folders[i] >= kept) kept = plan->cgroups.folders[i] + 1;
    syscall(SYS_close_range, kept, plan->allows_host_network ? SANDGLASS_HOST_NETWORK - 1 : SANDGLASS_HOST_NETWORK, 0);
    syscall(SYS_close_range, SANDGLASS_IMAGES_BEGIN + plan->image_count, ~0u, 0);
    for (;;) {
        struct sandglass_zygote_request request = {0};
        ssize_t received = sandglass_receive(LAUNCHER, &request, sizeof request, &birth.control, 1);
        if (received <= 0) _exit(0);
        if (received == sizeof request && birth.control >= 0) {
            birth.kind = request.slot_kind;
            make_slot(plan, &birth);
        }
        if (birth.control >= 0) close(birth.control);
    }
}

// Async-signal-safe, like all of the above.
pid_t sandglass_zygote_start(const struct sandglass_plan *plan, uint32_t slot, int reports, int *socket_out) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return -1;
    pid_t pid = sandglass_clone3(0, -1);
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
