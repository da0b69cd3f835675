// Control groups: what a slot and all that it runs may use together, and what they did use.
//
// A slot number has one group in each hierarchy. The folder in which they stand was made and opened by the server,
// before the fork: the launcher leaves the host's file system and keeps the descriptors alone.
#pragma once

#include "system.h"

// The files of a slot's group, as descriptors with fixed numbers in every process that has them open: the zygote or the
// launcher opens them while it may, and the slot inherits them. A kernel does not check again who writes.
enum sandglass_group_file {
    SANDGLASS_GROUP_MEMORY_LIMIT,    // memory.limit_in_bytes, memory.max
    SANDGLASS_GROUP_SWAP_LIMIT,      // memory.memsw.limit_in_bytes
    SANDGLASS_GROUP_PROCESS_LIMIT,   // pids.max
    SANDGLASS_GROUP_MEMORY_USAGE,    // memory.usage_in_bytes, memory.current
    SANDGLASS_GROUP_MEMORY_PEAK,     // memory.max_usage_in_bytes, memory.peak
    SANDGLASS_GROUP_MEMORY_FAILURES, // memory.failcnt
    SANDGLASS_GROUP_MEMORY_EVENTS,   // memory.oom_control, memory.events
    SANDGLASS_GROUP_CPU_USAGE,       // cpuacct.usage, cpu.stat
    SANDGLASS_GROUP_OOM_EVENT,       // an eventfd that is told of OOM (v1)
    SANDGLASS_GROUP_FILES,
};
enum { SANDGLASS_GROUP_FIRST_FILE = 5, SANDGLASS_GROUP_END = SANDGLASS_GROUP_FIRST_FILE + SANDGLASS_GROUP_FILES };

static inline int sandglass_group_descriptor(enum sandglass_group_file file) { return SANDGLASS_GROUP_FIRST_FILE + (int)file; }

// What the kernel's counters say. They count on from run to run, so a run is the difference of two readings.
struct sandglass_group_reading {
    uint64_t oom_kills;       // processes that the OOM killer ended in the group, whosesoever limit it was
    uint64_t limit_failures;  // v1: charges that met the group's own limit; v2: times that it was out of memory itself
    uint64_t cpu_nanoseconds;
    uint64_t memory_bytes;    // now
    uint64_t peak_bytes;      // since the last reset
};

// What a slot knows of its group.
struct sandglass_group {
    uint32_t version; // 1, 2; 0: there is none
    uint32_t files;   // which of the files are open, bit by bit
    struct sandglass_group_reading beginning;
};

// In the launcher. Keeps the plan's folders open at fixed numbers; returns the first number that is free behind them.
int sandglass_group_keep_folders(struct sandglass_cgroups *cgroups);
// In the launcher: makes the group of a slot in each hierarchy, and removes it. Returns 0, or -1 with errno.
int sandglass_group_make(const struct sandglass_cgroups *cgroups, uint32_t slot);
int sandglass_group_remove(const struct sandglass_cgroups *cgroups, uint32_t slot);
// At the launcher's end: the folder in which they stood.
void sandglass_group_remove_folders(const struct sandglass_cgroups *cgroups);
// v2: a descriptor for CLONE_INTO_CGROUP, and SIGKILL to all in it.
int sandglass_group_folder(const struct sandglass_cgroups *cgroups, uint32_t slot);
void sandglass_group_kill(const struct sandglass_cgroups *cgroups, uint32_t slot);

// v1: moves the calling process into the group. Takes milliseconds.
int sandglass_group_attach(const struct sandglass_cgroups *cgroups, uint32_t slot);
// Opens the group's files at their numbers, and reads the counters.
int sandglass_group_open(const struct sandglass_cgroups *cgroups, uint32_t slot, struct sandglass_group *group);
// v1: lets OOM be told by an eventfd. Without it an OOM is seen when the next process of the run ends.
void sandglass_group_watch_oom(const struct sandglass_cgroups *cgroups, uint32_t slot, struct sandglass_group *group);
bool sandglass_group_has(const struct sandglass_group *group, enum sandglass_group_file file);
void sandglass_group_close(void);
// v1, before a slot is born in a group that may have served one: no limit of that run, not much of its page cache.
void sandglass_group_renew(const struct sandglass_cgroups *cgroups, uint32_t slot, struct sandglass_group *group);

// In the slot, before its command starts.
int sandglass_group_limit(const struct sandglass_group *group, uint64_t memory_bytes, uint64_t processes);
// From here on it counts what the command uses.
void sandglass_group_begin(struct sandglass_group *group);

struct sandglass_group_reading sandglass_group_read(const struct sandglass_group *group);
uint64_t sandglass_group_cpu_nanoseconds(const struct sandglass_group *group);
// How many processes the OOM killer has ended since the beginning because of the group's own limit.
uint64_t sandglass_group_oom_kills(const struct sandglass_group *group);
// What was used between the beginning and this reading. `usage` holds what getrusage(2) says.
void sandglass_group_account(
    const struct sandglass_group *group, const struct sandglass_group_reading *now, struct sandglass_usage *usage
);
