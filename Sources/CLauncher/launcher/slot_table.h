// The launcher's state for each slot number.
#pragma once

#include "../descriptors.h"
#include "../isolation/slot_namespaces.h"

// A zygote, as the launcher sees it. A slot number's zygote stays for the next slot and is retired after some idle
// time.
struct sandglass_zygote {
    pid_t pid; // 0: none
    int socket;
    bool is_spawning; // is making a slot whose pid it has not reported yet
    bool kill_slot;   // kill that slot once its pid is known
    uint64_t idle_since;
};

struct sandglass_slot_entry {
    pid_t slot; // 0: free
    // Namespaces that successive slots of the number share, if the launcher clones the slots itself.
    int network; // descriptor plus one; 0: none
    bool has_namespaces;
    struct sandglass_slot_namespaces namespaces;
    struct sandglass_cgroup cgroup;
    struct sandglass_zygote zygote;
};

// Slot numbers from this one on keep no namespaces. Kept namespaces cost memory, and high numbers are seldom used,
// because the lowest free number is assigned first.
enum { SANDGLASS_SLOTS_KEEPING_NAMESPACES = 64 };

struct sandglass_slot_table {
    const struct sandglass_plan *plan;       // with the protections and cgroups that turned out to be available
    uint32_t spawning_zygotes, idle_zygotes; // numbers of zygotes
    int zygote_reports, zygote_reports_sender;
    // The launcher needs the pid of a zygote's slot only when it must kill the slot or when the slot has exited. It
    // is not woken for the report before that.
    bool wants_zygote_reports;
    struct sandglass_slot_entry entries[]; // indexed by slot number
};

// Makes the table in memory of its own, because the launcher keeps little other writable memory (memory.h). Forked
// processes inherit the plan but not the table. Returns NULL with errno on failure.
struct sandglass_slot_table *sandglass_slot_table_make(const struct sandglass_plan *plan);
// Disables control groups in the plan. No forked process may be reading the plan yet.
void sandglass_slot_table_disable_cgroups(struct sandglass_slot_table *table);

void sandglass_report(const struct sandglass_launcher_report *report);
void sandglass_report_gone(uint32_t slot, struct sandglass_failure failure, struct sandglass_usage usage);
void sandglass_reap_pid(pid_t pid);
