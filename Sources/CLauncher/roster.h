// What the launcher remembers of each slot number.
#pragma once

#include "descriptors.h"

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
    int network; // descriptor of its network namespace, plus one; 0: none
    struct sandglass_group group;
    struct sandglass_nurse nurse;
};

struct sandglass_roster {
    struct sandglass_plan plan; // walls and groups as they turned out
    uint32_t making, idle;      // so many zygotes
    int zygote_reports, zygote_reports_far;
    // Which slot a zygote has made need not be known before that is to be killed or has ended: nobody is woken for it.
    bool wants_zygote_reports;
    struct sandglass_place places[]; // by slot number
};

// In memory of its own, for the launcher keeps little else that it may write to (memory.h). NULL with errno.
struct sandglass_roster *sandglass_roster_make(const struct sandglass_plan *plan);

void sandglass_report(const struct sandglass_launcher_report *report);
void sandglass_report_gone(uint32_t slot, struct sandglass_failure failure, struct sandglass_usage usage);
void sandglass_reap_pid(pid_t pid);
