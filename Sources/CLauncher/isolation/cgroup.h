// Control groups limit and measure the resources that a slot and all its processes use together.
//
// A slot number has one group in each hierarchy. The server makes and opens the parent directory before the fork. The
// launcher leaves the host's file system and keeps only the descriptors.
#pragma once

#include "../system.h"

// The files of a slot's group. Their descriptors have fixed numbers in every process that has them open. The zygote
// or the launcher opens them while it has the privilege, and the slot inherits them. The kernel does not check
// permissions again at the write.
enum sandglass_cgroup_file {
    SANDGLASS_CGROUP_MEMORY_LIMIT,    // memory.limit_in_bytes, memory.max
    SANDGLASS_CGROUP_SWAP_LIMIT,      // memory.memsw.limit_in_bytes
    SANDGLASS_CGROUP_PROCESS_LIMIT,   // pids.max
    SANDGLASS_CGROUP_MEMORY_USAGE,    // memory.usage_in_bytes, memory.current
    SANDGLASS_CGROUP_MEMORY_PEAK,     // memory.max_usage_in_bytes, memory.peak
    SANDGLASS_CGROUP_MEMORY_FAILURES, // memory.failcnt
    SANDGLASS_CGROUP_MEMORY_EVENTS,   // memory.oom_control, memory.events
    SANDGLASS_CGROUP_CPU_USAGE,       // cpuacct.usage, cpu.stat
    SANDGLASS_CGROUP_MEMORY_STAT,     // memory.stat (v2)
    SANDGLASS_CGROUP_OOM_EVENT,       // an eventfd that the kernel notifies of an OOM (v1)
    SANDGLASS_CGROUP_FILES,
};
enum { SANDGLASS_CGROUP_FIRST_FILE = 5, SANDGLASS_CGROUP_END = SANDGLASS_CGROUP_FIRST_FILE + SANDGLASS_CGROUP_FILES };

static inline int sandglass_cgroup_descriptor(enum sandglass_cgroup_file file) {
    return SANDGLASS_CGROUP_FIRST_FILE + (int)file;
}

// The values of the kernel's counters. The counters are not reset between runs, so a run's usage is the difference of
// two readings.
struct sandglass_cgroup_reading {
    uint64_t oom_kills; // processes in the group that the OOM killer ended, no matter which limit was reached
    // v1: charges that hit the group's own limit; v2: times that the group itself was out of memory
    uint64_t limit_failures;
    uint64_t cpu_nanoseconds;
    uint64_t memory_bytes; // current usage
    uint64_t peak_bytes;   // since the last reset
};

// A slot's own view of its group.
struct sandglass_cgroup {
    uint32_t version; // 1 or 2; 0: no group
    uint32_t files;   // bit set of the open files
    bool has_quota;   // v1: the slot's group in the hierarchy of the cpu controller limits processors
    struct sandglass_cgroup_reading initial;
};

// Returns whether the controller is the first of those that share its directory. Controllers that are mounted together
// share one.
bool sandglass_cgroup_is_first(const struct sandglass_cgroup_tree *cgroups, uint32_t controller);

// Keeps the plan's directories open at fixed numbers. Returns the first free number after them. Runs in the launcher.
int sandglass_cgroup_keep_directories(struct sandglass_cgroup_tree *cgroups);
// Make and remove the group of a slot in each hierarchy. Return 0, or -1 with errno. Run in the launcher.
int sandglass_cgroup_make(const struct sandglass_cgroup_tree *cgroups, uint32_t slot);
int sandglass_cgroup_remove(const struct sandglass_cgroup_tree *cgroups, uint32_t slot);
// Removes the parent directories of all groups. Runs at the launcher's end.
void sandglass_cgroup_remove_directories(const struct sandglass_cgroup_tree *cgroups);
// v2: opens a group's directory for CLONE_INTO_CGROUP. Returns a descriptor, or -1 with errno.
int sandglass_cgroup_open_directory(const struct sandglass_cgroup_tree *cgroups, uint32_t slot);
// v2: sends SIGKILL to all processes of the group.
void sandglass_cgroup_kill(const struct sandglass_cgroup_tree *cgroups, uint32_t slot);

// v1: moves the calling process into the group. This takes milliseconds.
int sandglass_cgroup_attach(const struct sandglass_cgroup_tree *cgroups, uint32_t slot);
// Opens the group's files at their fixed numbers and reads the counters.
int sandglass_cgroup_open(const struct sandglass_cgroup_tree *cgroups, uint32_t slot, struct sandglass_cgroup *cgroup);
// v1: registers an eventfd for OOM notifications. Without it an OOM is noticed when the run's next process ends.
void sandglass_cgroup_watch_oom(
    const struct sandglass_cgroup_tree *cgroups, uint32_t slot, struct sandglass_cgroup *cgroup
);
bool sandglass_cgroup_has(const struct sandglass_cgroup *cgroup, enum sandglass_cgroup_file file);
void sandglass_cgroup_close(void);
// v1: replaces the group of the calling zygote, its only process, by a new one of the same name. The kernel frees what an
// earlier run has left in the old one, such as shared memory, some time after the last process has left it. Returns 0, or
// -1 with errno.
int sandglass_cgroup_renew(
    const struct sandglass_cgroup_tree *cgroups, uint32_t slot, struct sandglass_cgroup *cgroup
);
// Returns whether the group of an idle zygote still holds memory that the kernel could not reclaim.
bool sandglass_cgroup_has_leftovers(const struct sandglass_cgroup *cgroup);
// v1: prepares a group that may have served an earlier run, before a slot is cloned into it. Removes the earlier
// limits and most of the page cache.
void sandglass_cgroup_reset(
    const struct sandglass_cgroup_tree *cgroups, uint32_t slot, struct sandglass_cgroup *cgroup
);

// Limits the processors of the group of a slot that asked for it. Called before the slot is cloned. v2: the first call
// passes the cpu controller on to all groups. Returns 0, or -1 with errno. Has no effect without the controller.
int sandglass_cgroup_limit_processors(
    const struct sandglass_cgroup_tree *cgroups, uint32_t slot, struct sandglass_cgroup *cgroup, uint64_t microseconds
);
// v1: moves the calling process, a slot, into the group with that limit, if it is not the group that it is in already.
int sandglass_cgroup_join_quota(
    const struct sandglass_cgroup_tree *cgroups, uint32_t slot, const struct sandglass_cgroup *cgroup
);

// Sets the limits of a run. Called in the slot before its command starts.
int sandglass_cgroup_set_limits(const struct sandglass_cgroup *cgroup, const struct sandglass_command *command);
// Marks the start of the command's usage.
void sandglass_cgroup_start_counting(struct sandglass_cgroup *cgroup);

struct sandglass_cgroup_reading sandglass_cgroup_read(const struct sandglass_cgroup *cgroup);
uint64_t sandglass_cgroup_cpu_nanoseconds(const struct sandglass_cgroup *cgroup);
// Returns the number of processes that the OOM killer has ended since the start because of the group's own limit.
uint64_t sandglass_cgroup_oom_kills(const struct sandglass_cgroup *cgroup);
// Adds the usage between the start and this reading to `usage`, which holds the figures of getrusage(2).
void sandglass_cgroup_add_usage(
    const struct sandglass_cgroup *cgroup, const struct sandglass_cgroup_reading *now, struct sandglass_usage *usage
);
