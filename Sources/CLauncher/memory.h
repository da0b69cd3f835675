#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sandglass_range {
    uintptr_t start, end;
};

// What the launcher keeps of the memory of the process that forks it. Every slot is a fork of the launcher, and a fork
// costs by the mapping and by the page that was written to: with the whole program's, ten times what it does with these.
enum { SANDGLASS_KEPT_RANGES = 48, SANDGLASS_FROZEN_RANGES = 3 };
struct sandglass_kept_memory {
    struct sandglass_range ranges[SANDGLASS_KEPT_RANGES]; // in order
    uint32_t count; // 0: all of it
    uintptr_t page;
    // The program's own variables. The launcher has none, and reads none that the dynamic linker has filled in but the tables
    // of functions.
    struct sandglass_range relocated, variables;
    // Constants may stand among them (linkers differ): the part of them that is in the file, mapped once more, as it is there.
    struct sandglass_range constants;
    uintptr_t constants_fresh; // 0: not mapped
    // Written to while the program was loaded, and only read by the launcher.
    struct sandglass_range frozen[SANDGLASS_FROZEN_RANGES];
    // Of the first thread: what is below its arguments.
    struct sandglass_range stack;
};

// Before the fork, and not async-signal-safe. `plan` and `length`: the plan's own memory; `arguments`: where the command line
// is, or NULL. What it takes for that in the calling process ends with sandglass_memory_forget.
void sandglass_memory_find(struct sandglass_kept_memory *kept, const void *plan, size_t length, const char *arguments);
void sandglass_memory_forget(const struct sandglass_kept_memory *kept);

// In the launcher, once it has no use for the program's own variables any more (environ(7) is one). Nothing in this library
// has any, nor pointers in constants: those are filled in by the dynamic linker. Async-signal-safe.
void sandglass_memory_let_go(const struct sandglass_kept_memory *kept, const void *plan, size_t length);
// There too: of the stack the frames of those who never get control again, and what is no frame any more. `frame` is the
// oldest that is still in use.
void sandglass_memory_let_go_frames(const struct sandglass_kept_memory *kept, const void *frame);
