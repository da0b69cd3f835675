#include "slot_table.h"

#include <sys/mman.h>
#include <sys/wait.h>

// Returns a read-only copy of the plan. The copy is in shared memory, so that a fork copies nothing of it.
static const struct sandglass_plan *keep(const struct sandglass_plan *plan) {
    struct sandglass_plan *kept = mmap(NULL, sizeof *kept, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (kept == MAP_FAILED) return NULL;
    *kept = *plan;
    return mprotect(kept, sizeof *kept, PROT_READ) < 0 ? NULL : kept;
}

// Async-signal-safe, like every function in this file.
struct sandglass_slot_table *sandglass_slot_table_make(const struct sandglass_plan *plan) {
    size_t length = sizeof(struct sandglass_slot_table) + plan->slots * sizeof(struct sandglass_slot_entry);
    struct sandglass_slot_table *table =
        mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (table == MAP_FAILED || madvise(table, length, MADV_DONTFORK) < 0) return NULL;
    table->plan = keep(plan);
    table->zygote_reports = table->zygote_reports_sender = -1;
    return table->plan ? table : NULL;
}

void sandglass_slot_table_disable_cgroups(struct sandglass_slot_table *table) {
    struct sandglass_plan *plan = (void *)(uintptr_t)table->plan;
    if (mprotect(plan, sizeof *plan, PROT_READ | PROT_WRITE) < 0) _exit(1);
    plan->cgroups.version = 0;
    mprotect(plan, sizeof *plan, PROT_READ);
}

void sandglass_report(const struct sandglass_launcher_report *report) {
    while (send(SANDGLASS_SERVER, report, sizeof *report, MSG_NOSIGNAL) < 0 && errno == EINTR) {}
}

void sandglass_report_gone(uint32_t slot, struct sandglass_failure failure, struct sandglass_usage usage) {
    struct sandglass_launcher_report report = {
        .kind = SANDGLASS_LAUNCHER_GONE, .slot = slot, .failure = failure, .usage = usage
    };
    sandglass_report(&report);
}

void sandglass_reap_pid(pid_t pid) {
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {}
}
