#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What the launcher keeps of the memory of the process that forks it. Every slot is a fork of the launcher, and a fork
// costs by the mapping and by the page that was written to: with the whole program's, four times what it does with these.
enum { SANDGLASS_KEPT_RANGES = 48, SANDGLASS_DROPPED_RANGES = 2 };
struct sandglass_kept_memory {
    struct { uintptr_t start, end; } ranges[SANDGLASS_KEPT_RANGES]; // in order
    uint32_t count; // 0: all of it
    struct { uintptr_t start, end; } dropped[SANDGLASS_DROPPED_RANGES]; // in these, what was written to
};

// Before the fork, and not async-signal-safe. `plan` and `length`: the plan's own memory.
void sandglass_memory_find(struct sandglass_kept_memory *kept, const void *plan, size_t length);

// In the launcher, once it has no use for the program's own variables any more (environ(7) is one). Nothing in this library
// has any, nor pointers in constants: those are filled in by the dynamic linker. Async-signal-safe.
void sandglass_memory_let_go(const struct sandglass_kept_memory *kept, const void *plan, size_t length);
