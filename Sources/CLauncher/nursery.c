#include "nursery.h"

#include "zygote.h"

#include <poll.h>

static const uint64_t patience_nanoseconds = UINT64_C(5000000000);
enum { MAKING_PATIENCE_MILLISECONDS = 500 };

static int open_reports(struct sandglass_roster *roster) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return -1;
    roster->zygote_reports = ends[0];
    roster->zygote_reports_far = ends[1];
    return 0;
}

static int start(struct sandglass_roster *roster, uint32_t slot) {
    struct sandglass_nurse *nurse = &roster->places[slot].nurse;
    if (sandglass_group_make(&roster->plan->cgroups, slot) < 0) return -1;
    pid_t pid = sandglass_zygote_start(roster->plan, slot, roster->zygote_reports_far, &nurse->socket);
    if (pid < 0) return -1;
    nurse->pid = pid;
    return 0;
}

// It is gone and reaped.
static void forget(struct sandglass_roster *roster, uint32_t slot) {
    close(roster->places[slot].nurse.socket);
    roster->places[slot].nurse = (struct sandglass_nurse){0};
    sandglass_group_remove(&roster->plan->cgroups, slot);
}

// Async-signal-safe, like all of this.
struct sandglass_failure sandglass_nursery_open(struct sandglass_roster *roster) {
    struct sandglass_zygote_report first;
    if (open_reports(roster) < 0 || start(roster, 0) < 0) return sandglass_failed(SANDGLASS_STEP_CONTROL_GROUP, 3);
    if (sandglass_receive(roster->zygote_reports, &first, sizeof first, NULL, 0) != sizeof first)
        return sandglass_failed(SANDGLASS_STEP_CONTROL_GROUP, 4);
    if (!first.failure.step) {
        sandglass_nursery_rest(roster, 0);
        return sandglass_no_failure();
    }
    sandglass_reap_pid(roster->places[0].nurse.pid);
    forget(roster, 0);
    return first.failure;
}

int sandglass_nursery_ask(struct sandglass_roster *roster, uint32_t slot, const struct sandglass_slot_kind *kind, int control) {
    struct sandglass_nurse *nurse = &roster->places[slot].nurse;
    struct sandglass_zygote_request request = {.slot_kind = *kind};
    if (nurse->idle_since != 0) roster->idle--;
    nurse->idle_since = 0;
    if ((nurse->pid == 0 && start(roster, slot) < 0)
        || sandglass_send_with(nurse->socket, &request, sizeof request, &control, 1) < 0)
        return -1;
    nurse->is_making = true;
    nurse->kill_slot = false;
    roster->making++;
    return 0;
}

// Those that have only set themselves up wait for nothing.
void sandglass_nursery_take_reports(struct sandglass_roster *roster) {
    struct sandglass_zygote_report made;
    if (roster->making == 0) return;
    while (recv(roster->zygote_reports, &made, sizeof made, MSG_DONTWAIT) == sizeof made) {
        struct sandglass_place *place = &roster->places[made.slot];
        // One that could not set itself up ends, and is seen to.
        if (made.pid == 0 || made.has_ended || !place->nurse.is_making) continue;
        place->nurse.is_making = false;
        roster->making--;
        place->group = made.group;
        if (made.pid < 0) {
            sandglass_nursery_rest(roster, made.slot);
            sandglass_report_gone(made.slot, made.failure, (struct sandglass_usage){0});
            continue;
        }
        place->slot = made.pid;
        if (place->nurse.kill_slot) kill(made.pid, SIGKILL);
    }
}

void sandglass_nursery_rest(struct sandglass_roster *roster, uint32_t slot) {
    roster->places[slot].nurse.idle_since = sandglass_monotonic_nanoseconds();
    roster->idle++;
}

// Nobody ends a zygote but the OOM killer, when the whole host is out of memory, and its own failure to set itself up.
void sandglass_nursery_bury(struct sandglass_roster *roster, uint32_t slot) {
    struct sandglass_nurse nurse = roster->places[slot].nurse;
    sandglass_reap_pid(nurse.pid);
    forget(roster, slot);
    if (nurse.idle_since != 0) roster->idle--;
    if (!nurse.is_making) return;
    roster->making--;
    errno = ECHILD;
    sandglass_report_gone(slot, sandglass_failed(SANDGLASS_STEP_CONTROL_GROUP, 1), (struct sandglass_usage){0});
}

void sandglass_nursery_retire(struct sandglass_roster *roster) {
    uint64_t now = sandglass_monotonic_nanoseconds();
    for (uint32_t slot = 0; slot < roster->plan->slots && roster->idle > 0; slot++) {
        struct sandglass_nurse *nurse = &roster->places[slot].nurse;
        if (nurse->pid == 0 || nurse->idle_since == 0 || now - nurse->idle_since < patience_nanoseconds) continue;
        roster->idle--;
        // It ends with its socket.
        shutdown(nurse->socket, SHUT_RDWR);
        sandglass_reap_pid(nurse->pid);
        forget(roster, slot);
    }
}

void sandglass_nursery_close(struct sandglass_roster *roster) {
    for (uint32_t slot = 0; slot < roster->plan->slots; slot++)
        if (roster->places[slot].nurse.is_making) roster->places[slot].nurse.kill_slot = true;
    struct pollfd event = {.fd = roster->zygote_reports, .events = POLLIN};
    while (roster->making > 0 && poll(&event, 1, MAKING_PATIENCE_MILLISECONDS) > 0) sandglass_nursery_take_reports(roster);
    for (uint32_t slot = 0; slot < roster->plan->slots; slot++)
        if (roster->places[slot].nurse.pid != 0) shutdown(roster->places[slot].nurse.socket, SHUT_RDWR);
}
