#define _GNU_SOURCE
#include "memory.h"

#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
// Their run time looks at memory of its own at every step.
#define KEEP_ALL 1
#endif
#endif
#ifndef KEEP_ALL
#define KEEP_ALL 0
#endif

// The objects whose code the launcher runs: the program, the C library, the dynamic linker.
enum { OBJECTS = 32 };
struct objects {
    struct { uintptr_t start, end; } ranges[OBJECTS];
    uint32_t count;
    bool binds_now;
    bool has_passed_libc;
    // Of the program: the segment that is written to, its part that is read-only once it is relocated, and where in that
    // the tables of the dynamic linker begin.
    uintptr_t written_end, relocated_start, relocated_end, tables;
};

static bool binds_now(const ElfW(Dyn) *entry) {
    for (; entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_BIND_NOW || (entry->d_tag == DT_FLAGS && entry->d_un.d_val & DF_BIND_NOW)
            || (entry->d_tag == DT_FLAGS_1 && entry->d_un.d_val & DF_1_NOW))
            return true;
    }
    return false;
}

static void read_program(const struct dl_phdr_info *object, struct objects *objects) {
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &object->dlpi_phdr[i];
        uintptr_t start = object->dlpi_addr + header->p_vaddr, end = start + header->p_memsz;
        if (header->p_type == PT_DYNAMIC) {
            objects->tables = start;
            objects->binds_now = binds_now((const void *)start);
        } else if (header->p_type == PT_GNU_RELRO) {
            objects->relocated_start = start;
            objects->relocated_end = end;
        } else if (header->p_type == PT_LOAD && header->p_flags & PF_W) {
            objects->written_end = end;
        }
    }
}

static bool is_named(const char *path, const char *name) {
    const char *last = strrchr(path, '/');
    return strncmp(last ? last + 1 : path, name, strlen(name)) == 0;
}

// Called for each object in the order in which symbols are looked up (dl_iterate_phdr(3)). A program that binds at its
// first calls reads the symbols of all that come before the C library, so it keeps them.
static int add_object(struct dl_phdr_info *object, size_t size, void *context) {
    (void)size;
    struct objects *objects = context;
    bool is_program = objects->count == 0;
    bool is_libc = is_named(object->dlpi_name, "libc.so");
    if (is_program) read_program(object, objects);
    uintptr_t start = UINTPTR_MAX, end = 0;
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &object->dlpi_phdr[i];
        if (header->p_type != PT_LOAD) continue;
        uintptr_t first = object->dlpi_addr + header->p_vaddr;
        if (first < start) start = first;
        if (first + header->p_memsz > end) end = first + header->p_memsz;
    }
    bool is_needed = is_program || is_libc || is_named(object->dlpi_name, "ld-linux")
        || (!objects->binds_now && !objects->has_passed_libc);
    if (is_libc) objects->has_passed_libc = true;
    if (!is_needed) return 0;
    if (objects->count == OBJECTS) return 1;
    objects->ranges[objects->count].start = start;
    objects->ranges[objects->count++].end = end;
    return 0;
}

// Something else may stand between the program and the C library (ld.so(8)).
static bool is_loaded_plainly(void) {
    return !getenv("LD_PRELOAD") && !getenv("LD_AUDIT") && access("/etc/ld.so.preload", F_OK) < 0;
}

static bool overlaps(uintptr_t start, uintptr_t end, uintptr_t other_start, uintptr_t other_end) {
    return start < other_end && other_start < end;
}

static bool is_needed(
    const struct objects *objects, uintptr_t start, uintptr_t end, const char *name, uintptr_t plan, size_t length
) {
    // The kernel's own, and the first thread's stack with the arguments and the environment.
    if (name[0] == '[' && strncmp(name, "[heap]", 6) != 0 && strncmp(name, "[anon", 5) != 0) return true;
    uintptr_t frame = (uintptr_t)__builtin_frame_address(0), thread = (uintptr_t)__builtin_thread_pointer();
    if (overlaps(start, end, frame, frame + 1) || overlaps(start, end, thread, thread + 1)) return true;
    if (overlaps(start, end, plan, plan + length)) return true;
    for (uint32_t i = 0; i < objects->count; i++)
        if (overlaps(start, end, objects->ranges[i].start, objects->ranges[i].end)) return true;
    return false;
}

static bool add_range(struct sandglass_kept_memory *kept, uintptr_t start, uintptr_t end) {
    if (kept->count > 0 && kept->ranges[kept->count - 1].end == start) {
        kept->ranges[kept->count - 1].end = end;
        return true;
    }
    if (kept->count == SANDGLASS_KEPT_RANGES) return false;
    kept->ranges[kept->count].start = start;
    kept->ranges[kept->count++].end = end;
    return true;
}

// The program's own variables. The launcher has none, and reads none that the dynamic linker has filled in but the tables of
// functions: with them go most of the pages that were written to.
static void find_variables(struct sandglass_kept_memory *kept, const struct objects *objects) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), tables = objects->tables & -page;
    if (!objects->binds_now || objects->relocated_start >= tables || objects->relocated_end <= tables
        || objects->relocated_end >= objects->written_end)
        return;
    kept->dropped[0].start = (objects->relocated_start + page - 1) & -page;
    kept->dropped[0].end = tables;
    kept->dropped[1].start = (objects->relocated_end + page - 1) & -page;
    kept->dropped[1].end = (objects->written_end + page - 1) & -page;
}

static bool find(struct sandglass_kept_memory *kept, FILE *maps, uintptr_t plan, size_t length) {
    struct objects objects = {0};
    if (dl_iterate_phdr(add_object, &objects) != 0 || !objects.has_passed_libc) return false;
    // In a library of its own the launcher would need that one.
    uintptr_t own = (uintptr_t)&find;
    if (!overlaps(own, own + 1, objects.ranges[0].start, objects.ranges[0].end)) return false;
    find_variables(kept, &objects);
    char *line = NULL;
    size_t capacity = 0;
    bool is_complete = true;
    while (is_complete && getline(&line, &capacity, maps) > 0) {
        uintptr_t start, end;
        int name = 0;
        is_complete = sscanf(line, "%zx-%zx %*s %*s %*s %*s %n", &start, &end, &name) == 2 && name > 0
            && (!is_needed(&objects, start, end, line + name, plan, length) || add_range(kept, start, end));
    }
    free(line);
    return is_complete && !ferror(maps);
}

void sandglass_memory_find(struct sandglass_kept_memory *kept, const void *plan, size_t length) {
    *kept = (struct sandglass_kept_memory){0};
    if (KEEP_ALL || !is_loaded_plainly()) return;
    FILE *maps = fopen("/proc/self/maps", "re");
    if (!maps) return;
    // Where not everything is understood, nothing is let go: it costs time and nothing else.
    if (!find(kept, maps, (uintptr_t)plan, length)) kept->count = 0;
    fclose(maps);
}

void sandglass_memory_let_go(const struct sandglass_kept_memory *kept, const void *plan, size_t length) {
    // Shared with all slots.
    mprotect((void *)(uintptr_t)plan, length, PROT_READ);
    if (kept->count == 0) return;
    for (size_t i = 0; i < SANDGLASS_DROPPED_RANGES; i++)
        if (kept->dropped[i].end > kept->dropped[i].start)
            madvise((void *)kept->dropped[i].start, kept->dropped[i].end - kept->dropped[i].start, MADV_DONTNEED);
    // The gaps, whatever has been mapped there since.
    uintptr_t start = 0;
    for (uint32_t i = 0; i < kept->count; i++) {
        uintptr_t end = kept->ranges[i].start;
        if (end > start) munmap((void *)start, end - start);
        start = kept->ranges[i].end;
    }
}
