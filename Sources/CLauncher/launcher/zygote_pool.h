// The launcher's zygotes, which make the slots under cgroup version 1.
#pragma once

#include "slot_table.h"

// Makes the zygote of slot number 0 to test whether a process can be placed in a group.
struct sandglass_failure sandglass_zygote_pool_open(struct sandglass_slot_table *table);
// Requests a slot from the number's zygote. The zygote reports the slot later. Returns 0, or -1 with errno.
int sandglass_zygote_pool_spawn(
    struct sandglass_slot_table *table, uint32_t slot, const struct sandglass_slot_kind *kind, int control
);
// Reads the zygotes' reports.
void sandglass_zygote_pool_read_reports(struct sandglass_slot_table *table);
// Marks the zygote of this number idle, after its slot has exited.
void sandglass_zygote_pool_mark_idle(struct sandglass_slot_table *table, uint32_t slot);
// Reaps the zygote of this number, which has exited.
void sandglass_zygote_pool_reap(struct sandglass_slot_table *table, uint32_t slot);
// Ends zygotes that have been idle for some time.
void sandglass_zygote_pool_retire_idle(struct sandglass_slot_table *table);
// Ends all zygotes and kills the slots that they are making. Called at the launcher's end.
void sandglass_zygote_pool_close(struct sandglass_slot_table *table);
