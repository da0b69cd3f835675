#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sandglass_range {
    uintptr_t start, end;
};

// The memory of the forking process that the launcher keeps. Every slot is a fork of the launcher, and the cost of a
// fork grows with the number of mappings and written pages. With the whole program's memory, a fork costs ten times
// as much as with these ranges.
enum { SANDGLASS_KEPT_RANGES = 48, SANDGLASS_FROZEN_RANGES = 3 };
struct sandglass_kept_memory {
    struct sandglass_range ranges[SANDGLASS_KEPT_RANGES]; // in ascending order
    uint32_t count;                                       // 0: keep everything
    uintptr_t page;
    // The program's own variables. The launcher has none. Of the variables that the dynamic linker fills in, it reads
    // only the tables of functions.
    struct sandglass_range relocated, variables;
    // Linkers may place constants among the variables. This range is the part of the constants in the program's file,
    // mapped once more with its original contents.
    struct sandglass_range constants;
    uintptr_t constants_fresh; // 0: not mapped
    // Ranges that were written while the program was loaded, and that the launcher only reads.
    struct sandglass_range frozen[SANDGLASS_FROZEN_RANGES];
    // The first thread's stack below its arguments.
    struct sandglass_range stack;
};

// Finds the memory that the launcher needs, before the fork. Not async-signal-safe. `plan` and `length` are the plan's
// own memory. `arguments` is the address of the command line, or NULL. This function makes a mapping in the calling
// process, which sandglass_memory_discard releases.
void sandglass_memory_find(struct sandglass_kept_memory *kept, const void *plan, size_t length, const char *arguments);
void sandglass_memory_discard(const struct sandglass_kept_memory *kept);

// Releases all other memory. Called in the launcher when it no longer needs the program's own variables, such as
// environ(7). Nothing in this library needs them. The library has no constants with pointers, because the dynamic
// linker fills those in. Async-signal-safe.
void sandglass_memory_release(const struct sandglass_kept_memory *kept, const void *plan, size_t length);
// Releases the stack frames of functions that never get control again, and the unused part of the stack. `frame` is
// the oldest frame in use. Called in the launcher.
void sandglass_memory_release_frames(const struct sandglass_kept_memory *kept, const void *frame);
