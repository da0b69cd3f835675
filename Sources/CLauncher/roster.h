// What the launcher remembers of each slot number.
#pragma once

#include "descriptors.h"
#include "lease.h"

// Where slots are born of zygotes. A number's zygote stays for its next slot, and goes when there is none for a while.
struct sandglass_nurse {
    pid_t pid; // 0: there is none
    int socket;
    bool is_making; // a slot, and has not said yet which
    bool kill_slot; // as soon as it has
    uint64_t idle_since;
};

struct sandglass_place {
    pid_t slot;  // 0: free
    // What its slots have one after the other, where the launcher clones them.
    int network; // descriptor, plus one; 0: none
    bool has_lease;
    struct sandglass_lease lease;
    struct sandglass_group group;
    struct sandglass_nurse nurse;
};

// What is kept for numbers above this costs memory and is seldom used: the lowest free number is given out first.
enum { SANDGLASS_KEPT_PLACES = 64 };

struct sandglass_roster {
    const struct sandglass_plan *plan; // walls and groups as they turned out
    uint32_t making, idle;      // so many zygotes
    int zygote_reports, zygote_reports_far;
    // Which slot a zygote has made need not be known before that is to be killed or has ended: nobody is woken for it.
    bool wants_zygote_reports;
    struct sandglass_place places[]; // by slot number
};

// In memory of its own, for the launcher keeps little else that it may write to (memory.h). What is forked has the plan, and
// not the rest. NULL with errno.
struct sandglass_roster *sandglass_roster_make(const struct sandglass_plan *plan);
// While nothing is forked that reads the plan.
void sandglass_roster_do_without_groups(struct sandglass_roster *roster);

void sandglass_report(const struct sandglass_launcher_report *report);
void sandglass_report_gone(uint32_t slot, struct sandglass_failure failure, struct sandglass_usage usage);
void sandglass_reap_pid(pid_t pid);
