// The supervision of a command, from its start to the report of its end.
#pragma once

#include "../isolation/cgroup.h"

// The slot's descriptors, in addition to 0 to 2 on /dev/null.
enum { SLOT_CONTROL = 3, SLOT_USER_NAMESPACE = 4, SLOT_CHILD_SIGNALS = 4 }; // number 4 is used for one, then for the other

struct sandglass_supervision {
    pid_t command;
    struct sandglass_cgroup cgroup;
    uint64_t cpu_nanoseconds; // limit, if the group counts CPU time
    uint64_t cpu_seconds;     // limit of one process (RLIMIT_CPU)
    uint32_t processors;
    bool keeps_files;    // serve the output files after the command's end
    bool has_ended;      // the command's exit is recorded, and the rest of the run is in its grace period
    int oom_checks_left; // remaining checks
    struct sandglass_slot_report end;
};

// Sends a report to the server.
void sandglass_slot_report(const struct sandglass_slot_report *report);

// Supervises the command: handles the server's requests, enforces the limits that the kernel does not enforce by itself,
// reaps orphans, and reports the end. Exits the process.
_Noreturn void sandglass_supervise(struct sandglass_supervision *run);
