#include "zygote_pool.h"

#include "zygote.h"

#include <poll.h>

static const uint64_t idle_timeout_nanoseconds = UINT64_C(5000000000);
enum { SPAWN_TIMEOUT_MILLISECONDS = 500 };

static int open_reports(struct sandglass_slot_table *table) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return -1;
    table->zygote_reports = ends[0];
    table->zygote_reports_sender = ends[1];
    return 0;
}

static int start(struct sandglass_slot_table *table, uint32_t slot) {
    struct sandglass_zygote *zygote = &table->entries[slot].zygote;
    if (sandglass_cgroup_make(&table->plan->cgroups, slot) < 0) return -1;
    pid_t pid = sandglass_zygote_start(table->plan, slot, table->zygote_reports_sender, &zygote->socket);
    if (pid < 0) return -1;
    zygote->pid = pid;
    return 0;
}

// Releases the resources of a zygote that has exited and is reaped.
static void forget(struct sandglass_slot_table *table, uint32_t slot) {
    close(table->entries[slot].zygote.socket);
    table->entries[slot].zygote = (struct sandglass_zygote){0};
    sandglass_cgroup_remove(&table->plan->cgroups, slot);
}

// Async-signal-safe, like every function in this file.
struct sandglass_failure sandglass_zygote_pool_open(struct sandglass_slot_table *table) {
    struct sandglass_zygote_report first;
    if (open_reports(table) < 0 || start(table, 0) < 0) return sandglass_failed(SANDGLASS_STEP_CONTROL_GROUP, 3);
    if (sandglass_receive(table->zygote_reports, &first, sizeof first, NULL, 0) != sizeof first)
        return sandglass_failed(SANDGLASS_STEP_CONTROL_GROUP, 4);
    if (!first.failure.step) {
        sandglass_zygote_pool_mark_idle(table, 0);
        return sandglass_no_failure();
    }
    sandglass_reap_pid(table->entries[0].zygote.pid);
    forget(table, 0);
    return first.failure;
}

int sandglass_zygote_pool_spawn(
    struct sandglass_slot_table *table, uint32_t slot, const struct sandglass_slot_kind *kind, int control
) {
    struct sandglass_zygote *zygote = &table->entries[slot].zygote;
    struct sandglass_zygote_request request = {.slot_kind = *kind};
    if (zygote->idle_since != 0) table->idle_zygotes--;
    zygote->idle_since = 0;
    if ((zygote->pid == 0 && start(table, slot) < 0)
        || sandglass_send_descriptors(zygote->socket, &request, sizeof request, &control, 1) < 0)
        return -1;
    zygote->is_spawning = true;
    zygote->kill_slot = false;
    table->spawning_zygotes++;
    return 0;
}

// Zygotes that have only set themselves up are not waited for.
void sandglass_zygote_pool_read_reports(struct sandglass_slot_table *table) {
    struct sandglass_zygote_report made;
    if (table->spawning_zygotes == 0) return;
    while (recv(table->zygote_reports, &made, sizeof made, MSG_DONTWAIT) == sizeof made) {
        struct sandglass_slot_entry *entry = &table->entries[made.slot];
        // A zygote that could not set itself up exits, and the reaper handles it.
        if (made.pid == 0 || made.has_ended || !entry->zygote.is_spawning) continue;
        entry->zygote.is_spawning = false;
        table->spawning_zygotes--;
        entry->cgroup = made.cgroup;
        if (made.pid < 0) {
            sandglass_zygote_pool_mark_idle(table, made.slot);
            sandglass_report_gone(made.slot, made.failure, (struct sandglass_usage){0});
            continue;
        }
        entry->slot = made.pid;
        if (entry->zygote.kill_slot) kill(made.pid, SIGKILL);
    }
}

void sandglass_zygote_pool_mark_idle(struct sandglass_slot_table *table, uint32_t slot) {
    table->entries[slot].zygote.idle_since = sandglass_monotonic_nanoseconds();
    table->idle_zygotes++;
}

// A zygote exits for one of two reasons. It could not set itself up, or the OOM killer ended it because the whole host
// was out of memory.
void sandglass_zygote_pool_reap(struct sandglass_slot_table *table, uint32_t slot) {
    struct sandglass_zygote zygote = table->entries[slot].zygote;
    sandglass_reap_pid(zygote.pid);
    forget(table, slot);
    if (zygote.idle_since != 0) table->idle_zygotes--;
    if (!zygote.is_spawning) return;
    table->spawning_zygotes--;
    errno = ECHILD;
    sandglass_report_gone(slot, sandglass_failed(SANDGLASS_STEP_CONTROL_GROUP, 1), (struct sandglass_usage){0});
}

void sandglass_zygote_pool_retire_idle(struct sandglass_slot_table *table) {
    uint64_t now = sandglass_monotonic_nanoseconds();
    for (uint32_t slot = 0; slot < table->plan->slots && table->idle_zygotes > 0; slot++) {
        struct sandglass_zygote *zygote = &table->entries[slot].zygote;
        if (zygote->pid == 0 || zygote->idle_since == 0 || now - zygote->idle_since < idle_timeout_nanoseconds)
            continue;
        table->idle_zygotes--;
        // A zygote exits when its socket is closed.
        shutdown(zygote->socket, SHUT_RDWR);
        sandglass_reap_pid(zygote->pid);
        forget(table, slot);
    }
}

void sandglass_zygote_pool_close(struct sandglass_slot_table *table) {
    for (uint32_t slot = 0; slot < table->plan->slots; slot++)
        if (table->entries[slot].zygote.is_spawning) table->entries[slot].zygote.kill_slot = true;
    struct pollfd event = {.fd = table->zygote_reports, .events = POLLIN};
    while (table->spawning_zygotes > 0 && poll(&event, 1, SPAWN_TIMEOUT_MILLISECONDS) > 0)
        sandglass_zygote_pool_read_reports(table);
    for (uint32_t slot = 0; slot < table->plan->slots; slot++)
        if (table->entries[slot].zygote.pid != 0) shutdown(table->entries[slot].zygote.socket, SHUT_RDWR);
}
