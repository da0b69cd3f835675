// The command: what happens between the slot's fork and its exec.
#pragma once

#include "system.h"

struct sandglass_prepared_command {
    const char *working_directory;
    const char *path;    // PATH's value, for a name without a slash
    char **arguments;    // NULL-terminated, at least one
    char **environment;  // NULL-terminated
    int streams[3];      // what become descriptors 0, 1 and 2; each is above 2 itself
    uint64_t open_files;
    uint64_t processes;
    uint64_t file_bytes;
    uint64_t cpu_seconds; // RLIMIT_CPU of each process
    int32_t nice;
    // Where the child leaves word for the slot: they share memory until exec.
    volatile uint64_t started_nanoseconds;
    volatile struct sandglass_failure failure;
};

// Starts the command and returns its pid once execve(2) has succeeded. Returns -1 with `failure` set when it
// was never started; no child is left then.
pid_t sandglass_command_start(struct sandglass_prepared_command *command);
