// The zygotes of control groups of version 1, as the launcher sees them.
#pragma once

#include "roster.h"

// Makes the zygote of number 0, which shows whether a process can be had in a group.
struct sandglass_failure sandglass_nursery_open(struct sandglass_roster *roster);
// Has a slot made, which comes to be told of later. Returns 0, or -1 with errno.
int sandglass_nursery_ask(struct sandglass_roster *roster, uint32_t slot, const struct sandglass_slot_kind *kind, int control);
// Reads what zygotes say.
void sandglass_nursery_take_reports(struct sandglass_roster *roster);
// The slot of this number is gone: its zygote has nothing to do.
void sandglass_nursery_rest(struct sandglass_roster *roster, uint32_t slot);
// The zygote of this number has ended, and waits to be reaped.
void sandglass_nursery_bury(struct sandglass_roster *roster, uint32_t slot);
// Ends zygotes that have had nothing to do for a while.
void sandglass_nursery_retire(struct sandglass_roster *roster);
// At the launcher's end: has all zygotes end, and kills the slots that they are making.
void sandglass_nursery_close(struct sandglass_roster *roster);
