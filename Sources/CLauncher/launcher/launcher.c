// The launcher's main loop. It sets itself up, makes and kills slots on request, and reaps them.

#include "slot_table.h"

#include "../isolation/cgroup_view.h"
#include "../isolation/network.h"
#include "../set_up_calls.h"
#include "../slot/slot.h"
#include "launcher_setup.h"
#include "memory.h"
#include "zygote_pool.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

enum { IDLE_CHECK_MILLISECONDS = 1000 };

// MARK: Control groups

// Tests whether a process can be placed in a control group. The files on the host do not show that.
static struct sandglass_failure probe_cgroups(struct sandglass_slot_table *table) {
    const struct sandglass_cgroup_tree *cgroups = &table->plan->cgroups;
    if (cgroups->version == 1) return sandglass_zygote_pool_open(table);
    struct sandglass_cgroup cgroup;
    if (sandglass_cgroup_make(cgroups, 0) < 0 || sandglass_cgroup_open(cgroups, 0, &cgroup) < 0)
        return sandglass_failed(SANDGLASS_STEP_CONTROL_GROUP, 2);
    sandglass_cgroup_close();
    int directory = sandglass_cgroup_open_directory(cgroups, 0);
    pid_t pid = directory < 0 ? -1 : sandglass_clone3(table->plan, CLONE_INTO_CGROUP, directory);
    if (pid == 0) _exit(0);
    struct sandglass_failure failure =
        pid < 0 ? sandglass_failed(SANDGLASS_STEP_CONTROL_GROUP, 1) : sandglass_no_failure();
    if (directory >= 0) close(directory);
    if (pid > 0) sandglass_reap_pid(pid);
    sandglass_cgroup_remove(cgroups, 0);
    return failure;
}

// MARK: Slots

// Tells the server that a slot could not be made. Nothing else of the slot exists.
static void report_spawn_failure(uint32_t slot, int control, struct sandglass_failure failure) {
    struct sandglass_slot_report failed = {.kind = SANDGLASS_SLOT_FAILED, .failure = failure};
    send(control, &failed, sizeof failed, MSG_NOSIGNAL | MSG_DONTWAIT);
    sandglass_report_gone(slot, failure, (struct sandglass_usage){0});
}

static pid_t clone_into_cgroup(struct sandglass_slot_table *table, struct sandglass_slot_parameters *parameters) {
    const struct sandglass_plan *plan = table->plan;
    const struct sandglass_cgroup_tree *cgroups = &plan->cgroups;
    if (sandglass_cgroup_make(cgroups, parameters->slot) < 0) return -1;
    int directory = sandglass_cgroup_open_directory(cgroups, parameters->slot);
    if (directory < 0 || sandglass_cgroup_open(cgroups, parameters->slot, &parameters->cgroup) < 0) return -1;
    uint64_t quota = parameters->kind.cpu_quota_microseconds;
    if (sandglass_cgroup_limit_processors(cgroups, parameters->slot, &parameters->cgroup, quota) < 0) return -1;
    pid_t pid = sandglass_clone3(plan, sandglass_slot_clone_flags(&parameters->kind) | CLONE_INTO_CGROUP, directory);
    if (pid == 0) sandglass_slot_run(plan, parameters);
    int error = errno;
    sandglass_cgroup_close();
    close(directory);
    table->entries[parameters->slot].cgroup = parameters->cgroup;
    errno = error;
    return pid;
}

// Refuses resources that the plan does not have, whatever the server requests.
static struct sandglass_failure check_allowed(
    const struct sandglass_plan *plan, const struct sandglass_slot_kind *kind
) {
    errno = EPERM;
    if (kind->image > plan->image_count) return sandglass_failed(SANDGLASS_STEP_IMAGE, (int32_t)kind->image);
    if (kind->shares_network && !plan->allows_host_network) return sandglass_failed(SANDGLASS_STEP_NETWORK, -1);
    return sandglass_no_failure();
}

static void close_namespaces(struct sandglass_slot_entry *entry) {
    sandglass_network_leave(&entry->network);
    if (entry->has_namespaces) sandglass_slot_namespaces_close(&entry->namespaces);
    entry->has_namespaces = false;
}

// Enters the namespaces that successive slots of one number share. A zygote has them itself.
static struct sandglass_failure enter_slot_namespaces(
    const struct sandglass_plan *plan, struct sandglass_slot_entry *entry, uint32_t slot
) {
    if (sandglass_network_is_kept(plan) && sandglass_network_enter(plan, &entry->network) < 0)
        return sandglass_failed(SANDGLASS_STEP_NETWORK, -1);
    if (entry->has_namespaces && sandglass_slot_namespaces_enter_ipc(plan, entry->namespaces.ipc) == 0
        && sandglass_slot_namespaces_are_unused(plan, &entry->namespaces))
        return sandglass_no_failure();
    if (entry->has_namespaces) {
        close_namespaces(entry);
        if (sandglass_network_is_kept(plan) && sandglass_network_enter(plan, &entry->network) < 0)
            return sandglass_failed(SANDGLASS_STEP_NETWORK, -1);
    }
    struct sandglass_failure failure = sandglass_slot_namespaces_make(plan, slot, &entry->namespaces);
    entry->has_namespaces = !failure.step;
    if (!failure.step && sandglass_slot_namespaces_enter_ipc(plan, entry->namespaces.ipc) < 0)
        failure = sandglass_failed(SANDGLASS_STEP_USER_NAMESPACE, 4);
    return failure;
}

static void spawn(
    struct sandglass_slot_table *table, uint32_t slot, const struct sandglass_slot_kind *kind, int control
) {
    const struct sandglass_plan *plan = table->plan;
    struct sandglass_failure failure = check_allowed(plan, kind);
    if (failure.step) {
        report_spawn_failure(slot, control, failure);
        return;
    }
    struct sandglass_slot_parameters parameters = {.slot = slot, .control = control, .kind = *kind};
    if (plan->cgroups.version == 1) {
        if (sandglass_zygote_pool_spawn(table, slot, kind, control) < 0)
            report_spawn_failure(slot, control, sandglass_failed(SANDGLASS_STEP_CONTROL_GROUP, 5));
        return;
    }
    if ((failure = enter_slot_namespaces(plan, &table->entries[slot], slot)).step) {
        report_spawn_failure(slot, control, failure);
        return;
    }
    parameters.user_namespace = table->entries[slot].namespaces.user;
    pid_t pid;
    if (plan->cgroups.version == 2) {
        pid = clone_into_cgroup(table, &parameters);
    } else {
        pid = sandglass_clone3(plan, sandglass_slot_clone_flags(kind), -1);
        if (pid == 0) sandglass_slot_run(plan, &parameters);
    }
    if (pid < 0) report_spawn_failure(slot, control, sandglass_failed(SANDGLASS_STEP_CLONE, -1));
    else table->entries[slot].slot = pid;
}

static void kill_slot(struct sandglass_slot_table *table, uint32_t slot) {
    struct sandglass_slot_entry *entry = &table->entries[slot];
    sandglass_zygote_pool_read_reports(table);
    if (entry->zygote.is_spawning) entry->zygote.kill_slot = table->wants_zygote_reports = true;
    if (entry->slot <= 0) return;
    kill(entry->slot, SIGKILL);
    if (table->plan->cgroups.version == 2) sandglass_cgroup_kill(&table->plan->cgroups, slot);
}

static void handle_request(
    struct sandglass_slot_table *table, const struct sandglass_launcher_request *request, int control
) {
    uint32_t slot = request->slot;
    if (slot >= table->plan->slots) return;
    switch (request->kind) {
    case SANDGLASS_LAUNCHER_SPAWN:
        // Two slots of one number would share a user. This never happens, whatever the server requests.
        sandglass_zygote_pool_read_reports(table);
        if (control < 0 || table->entries[slot].slot != 0 || table->entries[slot].zygote.is_spawning) break;
        spawn(table, slot, &request->slot_kind, control);
        break;
    case SANDGLASS_LAUNCHER_KILL: kill_slot(table, slot); break;
    default: break;
    }
}

// MARK: Exits

// Returns the usage of a slot that was killed before it could report its usage.
static struct sandglass_usage measure_usage(
    const struct sandglass_slot_table *table, uint32_t slot, const struct rusage *record
) {
    struct sandglass_usage usage = {
        .user_microseconds = (uint64_t)record->ru_utime.tv_sec * 1000000u + (uint64_t)record->ru_utime.tv_usec,
        .system_microseconds = (uint64_t)record->ru_stime.tv_sec * 1000000u + (uint64_t)record->ru_stime.tv_usec,
        .peak_bytes = (uint64_t)record->ru_maxrss * 1024u,
        .resident_bytes = (uint64_t)record->ru_maxrss * 1024u,
    };
    const struct sandglass_cgroup_tree *cgroups = &table->plan->cgroups;
    const struct sandglass_cgroup *cgroup = &table->entries[slot].cgroup;
    struct sandglass_cgroup now;
    if (cgroups->version == 0 || sandglass_cgroup_open(cgroups, slot, &now) < 0) return usage;
    usage.oom_kills = sandglass_cgroup_oom_kills(cgroup);
    sandglass_cgroup_add_usage(cgroup, &now.initial, &usage);
    sandglass_cgroup_close();
    return usage;
}

static void reap_slot(struct sandglass_slot_table *table, uint32_t slot) {
    struct sandglass_slot_entry *entry = &table->entries[slot];
    int status = 0;
    struct rusage record = {0};
    struct sandglass_usage usage = {0};
    while (wait4(entry->slot, &status, 0, &record) < 0 && errno == EINTR) {}
    entry->slot = 0;
    if (WIFSIGNALED(status)) usage = measure_usage(table, slot, &record);
    sandglass_report_gone(slot, sandglass_no_failure(), usage);
    // These steps follow the report, because the server is waiting for it.
    if (slot >= SANDGLASS_SLOTS_KEEPING_NAMESPACES) close_namespaces(entry);
    if (table->plan->cgroups.version == 2) sandglass_cgroup_remove(&table->plan->cgroups, slot);
    if (entry->zygote.pid != 0) sandglass_zygote_pool_mark_idle(table, slot);
}

static bool reap_process(struct sandglass_slot_table *table, pid_t pid) {
    for (uint32_t slot = 0; slot < table->plan->slots; slot++) {
        if (table->entries[slot].slot == pid) reap_slot(table, slot);
        else if (table->entries[slot].zygote.pid == pid) sandglass_zygote_pool_reap(table, slot);
        else continue;
        return true;
    }
    return false;
}

static void reap(struct sandglass_slot_table *table) {
    struct signalfd_siginfo ignored;
    while (read(SANDGLASS_CHILD_SIGNALS, &ignored, sizeof ignored) > 0) {}
    for (;;) {
        // WNOWAIT: a slot may exit before its zygote has reported that it made the slot.
        siginfo_t ended = {0};
        if (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) < 0 || ended.si_pid == 0) return;
        sandglass_zygote_pool_read_reports(table);
        if (reap_process(table, ended.si_pid)) continue;
        if (table->spawning_zygotes > 0) {
            table->wants_zygote_reports = true; // reaping continues after the report
            return;
        }
        sandglass_reap_pid(ended.si_pid);
    }
}

static _Noreturn void end(struct sandglass_slot_table *table) {
    const struct sandglass_cgroup_tree *cgroups = &table->plan->cgroups;
    for (uint32_t slot = 0; slot < table->plan->slots; slot++)
        if (table->entries[slot].slot > 0) kill(table->entries[slot].slot, SIGKILL);
    if (cgroups->version == 1) sandglass_zygote_pool_close(table);
    for (;;) {
        if (waitpid(-1, NULL, 0) < 0 && errno != EINTR) break;
    }
    for (uint32_t slot = 0; slot < table->plan->slots && cgroups->version > 0; slot++)
        sandglass_cgroup_remove(cgroups, slot);
    if (cgroups->version > 0) sandglass_cgroup_remove_directories(cgroups);
    _exit(0);
}

// MARK: Main

static struct sandglass_slot_table *set_up(
    const struct sandglass_plan *server_plan, const struct sandglass_kept_memory *memory, int server, const void *frame
) {
    struct sandglass_plan plan = *server_plan;
    struct sandglass_launcher_report ready = {.kind = SANDGLASS_LAUNCHER_READY};
    int view = -1;
    ready.failure = sandglass_launcher_set_up(&plan, server, &view);
    if (!ready.failure.step) sandglass_cgroup_enter_common(&plan.cgroups);
    sandglass_memory_release(memory, plan.memory, plan.memory_length);
    sandglass_memory_release_frames(memory, frame);
    struct sandglass_slot_table *table = sandglass_slot_table_make(&plan);
    if (!table && !ready.failure.step) ready.failure = sandglass_failed(SANDGLASS_STEP_LAUNCHER_PROCESS, 5);
    bool has_failed = ready.failure.step != SANDGLASS_STEP_NONE;
    if (!has_failed && plan.cgroups.version > 0) {
        // Without control groups commands still run, and their receipt lists the limits that are not enforced.
        ready.failure = probe_cgroups(table);
        if (ready.failure.step) {
            sandglass_cgroup_remove_directories(&plan.cgroups);
            sandglass_slot_table_disable_cgroups(table);
        }
        ready.cgroups = table->plan->cgroups.version;
    }
    ready.protections = plan.protections;
    sandglass_send_descriptors(SANDGLASS_SERVER, &ready, sizeof ready, &view, view < 0 ? 0 : 1);
    if (view >= 0) close(view);
    return has_failed ? NULL : table;
}

static _Noreturn void run(const struct sandglass_plan *plan, const struct sandglass_kept_memory *memory, int server) {
    struct sandglass_slot_table *table = set_up(plan, memory, server, __builtin_frame_address(0));
    if (!table) _exit(1);

    struct pollfd events[] = {
        {.fd = SANDGLASS_SERVER, .events = POLLIN},
        {.fd = SANDGLASS_CHILD_SIGNALS, .events = POLLIN},
        {.events = POLLIN},
    };
    for (;;) {
        // poll(2) ignores negative descriptors.
        events[2].fd = table->wants_zygote_reports ? table->zygote_reports : -1;
        int count = poll(events, 3, table->idle_zygotes > 0 ? IDLE_CHECK_MILLISECONDS : -1);
        if (count < 0) continue;
        if (table->idle_zygotes > 0) sandglass_zygote_pool_retire_idle(table);
        if (events[1].revents || events[2].revents) {
            sandglass_zygote_pool_read_reports(table);
            table->wants_zygote_reports = false;
            for (uint32_t slot = 0; slot < table->plan->slots && table->spawning_zygotes > 0; slot++) {
                const struct sandglass_zygote *zygote = &table->entries[slot].zygote;
                if (zygote->is_spawning && zygote->kill_slot) table->wants_zygote_reports = true;
            }
            reap(table);
        }
        if (!events[0].revents) continue;
        struct sandglass_launcher_request request = {0};
        int control;
        ssize_t received = sandglass_receive(SANDGLASS_SERVER, &request, sizeof request, &control, 1);
        if (received <= 0) end(table);
        if (received == sizeof request) handle_request(table, &request, control);
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
    sandglass_memory_discard(&memory);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        errno = error;
    } else {
        *socket_out = ends[0];
    }
    return pid;
}
