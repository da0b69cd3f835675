// The start of the command: from the slot's fork to the exec.
#pragma once

#include "../system.h"

#define NO_RESOURCE_LIMIT (~UINT64_C(0)) // RLIM_INFINITY

struct sandglass_prepared_command {
    const char *working_directory;
    const char *path;   // value of PATH, for a name without a slash
    char **arguments;   // NULL-terminated, with at least one item
    char **environment; // NULL-terminated
    int streams[3];     // these become descriptors 0, 1 and 2; each is above 2
    uint64_t open_files;
    uint64_t stack_bytes;
    uint64_t processes;
    bool has_process_group; // a control group limits the number of processes
    uint64_t cpu_seconds;   // RLIMIT_CPU of each process; NO_RESOURCE_LIMIT where the group limits the run as a whole
    int32_t nice;
    // Written by the child and read by the slot: they share memory until exec.
    volatile uint64_t started_nanoseconds;
    volatile struct sandglass_failure failure;
};

// Starts the command and returns its pid after execve(2) has succeeded. Returns -1 with `failure` set if the command
// never started; then no child is left.
pid_t sandglass_command_start(struct sandglass_prepared_command *command);
