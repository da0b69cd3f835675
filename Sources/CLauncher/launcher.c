// The launcher's life: prepare itself, then have slots made, reap them, and kill them when told.

#include "roster.h"

#include "memory.h"
#include "network.h"
#include "nursery.h"
#include "preparation.h"
#include "slot.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

enum { IDLE_LOOK_MILLISECONDS = 1000 };

// MARK: Control groups

// Whether a process can really be had in a group: what the host shows of its files does not say so.
static struct sandglass_failure try_control_groups(struct sandglass_roster *roster) {
    const struct sandglass_cgroups *cgroups = &roster->plan->cgroups;
    if (cgroups->version == 1) return sandglass_nursery_open(roster);
    struct sandglass_group group;
    if (sandglass_group_make(cgroups, 0) < 0 || sandglass_group_open(cgroups, 0, &group) < 0)
        return sandglass_failed(SANDGLASS_STEP_CONTROL_GROUP, 2);
    sandglass_group_close();
    int folder = sandglass_group_folder(cgroups, 0);
    pid_t pid = folder < 0 ? -1 : sandglass_clone3(CLONE_INTO_CGROUP, folder);
    if (pid == 0) _exit(0);
    struct sandglass_failure failure =
        pid < 0 ? sandglass_failed(SANDGLASS_STEP_CONTROL_GROUP, 1) : sandglass_no_failure();
    if (folder >= 0) close(folder);
    if (pid > 0) sandglass_reap_pid(pid);
    sandglass_group_remove(cgroups, 0);
    return failure;
}

// MARK: Slots

// Nothing of the slot is left but the server's knowledge of it.
static void never_born(uint32_t slot, int control, struct sandglass_failure failure) {
    struct sandglass_slot_report failed = {.kind = SANDGLASS_SLOT_FAILED, .failure = failure};
    send(control, &failed, sizeof failed, MSG_NOSIGNAL | MSG_DONTWAIT);
    sandglass_report_gone(slot, failure, (struct sandglass_usage){0});
}

static pid_t clone_into_group(struct sandglass_roster *roster, struct sandglass_birth *birth) {
    const struct sandglass_plan *plan = roster->plan;
    const struct sandglass_cgroups *cgroups = &plan->cgroups;
    if (sandglass_group_make(cgroups, birth->slot) < 0) return -1;
    int folder = sandglass_group_folder(cgroups, birth->slot);
    if (folder < 0 || sandglass_group_open(cgroups, birth->slot, &birth->group) < 0) return -1;
    pid_t pid = sandglass_clone3(sandglass_slot_namespaces(&birth->kind) | CLONE_INTO_CGROUP, folder);
    if (pid == 0) sandglass_slot_run(plan, birth);
    int error = errno;
    sandglass_group_close();
    close(folder);
    roster->places[birth->slot].group = birth->group;
    errno = error;
    return pid;
}

// Nobody gets what the plan does not have, whatever the server says.
static struct sandglass_failure refusal(const struct sandglass_plan *plan, const struct sandglass_slot_kind *kind) {
    errno = EPERM;
    if (kind->image > plan->image_count) return sandglass_failed(SANDGLASS_STEP_IMAGE, (int32_t)kind->image);
    if (kind->shares_network && !plan->allows_host_network) return sandglass_failed(SANDGLASS_STEP_NETWORK, -1);
    return sandglass_no_failure();
}

// Those that the next slot of a number has after the one before. A zygote has them itself.
static struct sandglass_failure lease_namespaces(
    const struct sandglass_plan *plan, struct sandglass_place *place, uint32_t slot
) {
    if (sandglass_network_is_leased(plan) && sandglass_network_enter(place) < 0)
        return sandglass_failed(SANDGLASS_STEP_NETWORK, -1);
    if (place->has_lease && sandglass_lease_enter_ipc(place->lease.ipc) == 0 && sandglass_lease_is_empty(place->lease.queues))
        return sandglass_no_failure();
    if (place->has_lease) sandglass_lease_end(&place->lease);
    struct sandglass_failure failure = sandglass_lease_make(plan, slot, &place->lease);
    place->has_lease = !failure.step;
    if (!failure.step && sandglass_lease_enter_ipc(place->lease.ipc) < 0)
        failure = sandglass_failed(SANDGLASS_STEP_USER_NAMESPACE, 4);
    return failure;
}

static void spawn(struct sandglass_roster *roster, uint32_t slot, const struct sandglass_slot_kind *kind, int control) {
    const struct sandglass_plan *plan = roster->plan;
    struct sandglass_failure failure = refusal(plan, kind);
    if (failure.step) {
        never_born(slot, control, failure);
        return;
    }
    struct sandglass_birth birth = {.slot = slot, .control = control, .kind = *kind};
    if (plan->cgroups.version == 1) {
        if (sandglass_nursery_ask(roster, slot, kind, control) < 0)
            never_born(slot, control, sandglass_failed(SANDGLASS_STEP_CONTROL_GROUP, 5));
        return;
    }
    if ((failure = lease_namespaces(plan, &roster->places[slot], slot)).step) {
        never_born(slot, control, failure);
        return;
    }
    birth.user_namespace = roster->places[slot].lease.user;
    pid_t pid;
    if (plan->cgroups.version == 2) {
        pid = clone_into_group(roster, &birth);
    } else {
        pid = sandglass_clone3(sandglass_slot_namespaces(kind), -1);
        if (pid == 0) sandglass_slot_run(plan, &birth);
    }
    if (pid < 0) never_born(slot, control, sandglass_failed(SANDGLASS_STEP_CLONE, -1));
    else roster->places[slot].slot = pid;
}

static void kill_slot(struct sandglass_roster *roster, uint32_t slot) {
    struct sandglass_place *place = &roster->places[slot];
    sandglass_nursery_take_reports(roster);
    if (place->nurse.is_making) place->nurse.kill_slot = roster->wants_zygote_reports = true;
    if (place->slot <= 0) return;
    kill(place->slot, SIGKILL);
    if (roster->plan->cgroups.version == 2) sandglass_group_kill(&roster->plan->cgroups, slot);
}

static void obey(struct sandglass_roster *roster, const struct sandglass_launcher_request *request, int control) {
    uint32_t slot = request->slot;
    if (slot >= roster->plan->slots) return;
    switch (request->kind) {
    case SANDGLASS_LAUNCHER_SPAWN:
        // Two slots of one number would share a user: whatever the server says, that never happens.
        sandglass_nursery_take_reports(roster);
        if (control < 0 || roster->places[slot].slot != 0 || roster->places[slot].nurse.is_making) break;
        spawn(roster, slot, &request->slot_kind, control);
        break;
    case SANDGLASS_LAUNCHER_KILL:
        kill_slot(roster, slot);
        break;
    default:
        break;
    }
}

// MARK: Ends

static void let_go_namespaces(struct sandglass_place *place) {
    sandglass_network_leave(place);
    if (place->has_lease) sandglass_lease_end(&place->lease);
    place->has_lease = false;
}

// What a slot used that could not say so itself.
static struct sandglass_usage account(const struct sandglass_roster *roster, uint32_t slot, const struct rusage *record) {
    struct sandglass_usage usage = {
        .user_microseconds = (uint64_t)record->ru_utime.tv_sec * 1000000u + (uint64_t)record->ru_utime.tv_usec,
        .system_microseconds = (uint64_t)record->ru_stime.tv_sec * 1000000u + (uint64_t)record->ru_stime.tv_usec,
        .peak_bytes = (uint64_t)record->ru_maxrss * 1024u,
    };
    const struct sandglass_cgroups *cgroups = &roster->plan->cgroups;
    const struct sandglass_group *group = &roster->places[slot].group;
    struct sandglass_group now;
    if (cgroups->version == 0 || sandglass_group_open(cgroups, slot, &now) < 0) return usage;
    usage.oom_kills = sandglass_group_oom_kills(group);
    sandglass_group_account(group, &now.beginning, &usage);
    sandglass_group_close();
    return usage;
}

static void bury_slot(struct sandglass_roster *roster, uint32_t slot) {
    struct sandglass_place *place = &roster->places[slot];
    int status = 0;
    struct rusage record = {0};
    struct sandglass_usage usage = {0};
    while (wait4(place->slot, &status, 0, &record) < 0 && errno == EINTR) {}
    place->slot = 0;
    if (WIFSIGNALED(status)) usage = account(roster, slot, &record);
    sandglass_report_gone(slot, sandglass_no_failure(), usage);
    // Now that it is told.
    if (slot >= SANDGLASS_KEPT_PLACES) let_go_namespaces(place);
    if (roster->plan->cgroups.version == 2) sandglass_group_remove(&roster->plan->cgroups, slot);
    if (place->nurse.pid != 0) sandglass_nursery_rest(roster, slot);
}

static bool bury(struct sandglass_roster *roster, pid_t pid) {
    for (uint32_t slot = 0; slot < roster->plan->slots; slot++) {
        if (roster->places[slot].slot == pid) bury_slot(roster, slot);
        else if (roster->places[slot].nurse.pid == pid) sandglass_nursery_bury(roster, slot);
        else continue;
        return true;
    }
    return false;
}

static void reap(struct sandglass_roster *roster) {
    struct signalfd_siginfo ignored;
    while (read(SANDGLASS_CHILD_SIGNALS, &ignored, sizeof ignored) > 0) {}
    for (;;) {
        // Not yet waited for: a slot may be over before its zygote has said that it is one.
        siginfo_t ended = {0};
        if (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) < 0 || ended.si_pid == 0) return;
        sandglass_nursery_take_reports(roster);
        if (bury(roster, ended.si_pid)) continue;
        if (roster->making > 0) {
            roster->wants_zygote_reports = true; // reaping goes on when it has come
            return;
        }
        sandglass_reap_pid(ended.si_pid);
    }
}

static _Noreturn void end(struct sandglass_roster *roster) {
    const struct sandglass_cgroups *cgroups = &roster->plan->cgroups;
    for (uint32_t slot = 0; slot < roster->plan->slots; slot++)
        if (roster->places[slot].slot > 0) kill(roster->places[slot].slot, SIGKILL);
    if (cgroups->version == 1) sandglass_nursery_close(roster);
    for (;;) {
        if (waitpid(-1, NULL, 0) < 0 && errno != EINTR) break;
    }
    for (uint32_t slot = 0; slot < roster->plan->slots && cgroups->version > 0; slot++)
        sandglass_group_remove(cgroups, slot);
    if (cgroups->version > 0) sandglass_group_remove_folders(cgroups);
    _exit(0);
}

// MARK: The whole

static struct sandglass_roster *set_up(
    const struct sandglass_plan *server_plan, const struct sandglass_kept_memory *memory, int server, const void *frame
) {
    struct sandglass_plan plan = *server_plan;
    struct sandglass_launcher_report ready = {.kind = SANDGLASS_LAUNCHER_READY};
    ready.failure = sandglass_preparation_run(&plan, server);
    sandglass_memory_let_go(memory, plan.memory, plan.memory_length);
    sandglass_memory_let_go_frames(memory, frame);
    struct sandglass_roster *roster = sandglass_roster_make(&plan);
    if (!roster && !ready.failure.step) ready.failure = sandglass_failed(SANDGLASS_STEP_LAUNCHER_PROCESS, 5);
    bool has_failed = ready.failure.step != SANDGLASS_STEP_NONE;
    if (!has_failed && plan.cgroups.version > 0) {
        // Without them commands run all the same, and their receipt says what is not enforced.
        ready.failure = try_control_groups(roster);
        if (ready.failure.step) {
            sandglass_group_remove_folders(&plan.cgroups);
            sandglass_roster_do_without_groups(roster);
        }
        ready.cgroups = roster->plan->cgroups.version;
    }
    ready.walls = plan.walls;
    sandglass_report(&ready);
    return has_failed ? NULL : roster;
}

static _Noreturn void run(const struct sandglass_plan *plan, const struct sandglass_kept_memory *memory, int server) {
    struct sandglass_roster *roster = set_up(plan, memory, server, __builtin_frame_address(0));
    if (!roster) _exit(1);

    struct pollfd events[] = {
        {.fd = SANDGLASS_SERVER, .events = POLLIN},
        {.fd = SANDGLASS_CHILD_SIGNALS, .events = POLLIN},
        {.events = POLLIN},
    };
    for (;;) {
        // A negative one is passed over (poll(2)).
        events[2].fd = roster->wants_zygote_reports ? roster->zygote_reports : -1;
        int count = poll(events, 3, roster->idle > 0 ? IDLE_LOOK_MILLISECONDS : -1);
        if (count < 0) continue;
        if (roster->idle > 0) sandglass_nursery_retire(roster);
        if (events[1].revents || events[2].revents) {
            sandglass_nursery_take_reports(roster);
            roster->wants_zygote_reports = false;
            for (uint32_t slot = 0; slot < roster->plan->slots && roster->making > 0; slot++) {
                const struct sandglass_nurse *nurse = &roster->places[slot].nurse;
                if (nurse->is_making && nurse->kill_slot) roster->wants_zygote_reports = true;
            }
            reap(roster);
        }
        if (!events[0].revents) continue;
        struct sandglass_launcher_request request = {0};
        int control;
        ssize_t received = sandglass_receive(SANDGLASS_SERVER, &request, sizeof request, &control, 1);
        if (received <= 0) end(roster);
        if (received == sizeof request) obey(roster, &request, control);
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
    struct sandglass_kept_memory memory;
    sandglass_memory_find(&memory, plan->memory, plan->memory_length, plan->command_line);
    pid_t pid = fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0 ? -1 : fork();
    if (pid == 0) run(plan, &memory, ends[1]);
    int error = errno;
    sandglass_memory_forget(&memory);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        errno = error;
    } else {
        *socket_out = ends[0];
    }
    return pid;
}
