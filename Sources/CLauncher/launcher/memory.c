#define _GNU_SOURCE
#include "memory.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
// The sanitizers' run time reads its own memory at every step.
#define KEEP_ALL 1
#endif
#endif
#ifndef KEEP_ALL
#define KEEP_ALL 0
#endif

// The objects whose code the launcher runs: the program, the C library and the dynamic linker.
enum { OBJECTS = 32 };
struct objects {
    struct sandglass_range ranges[OBJECTS];
    uint32_t count;
    bool binds_now;
    bool has_passed_libc;
    // The writable segment of each object.
    struct sandglass_range program, libc, linker;
    // The program's part that is read-only after relocation, and the start of the dynamic linker's tables in it.
    struct sandglass_range relocated;
    uintptr_t tables;
    uintptr_t file_end; // the bytes from here on are zero and not in the program's file
    // The area around the thread pointer with the thread-local variables of all objects (PT_TLS).
    struct sandglass_range thread;
};

// MARK: Discovery

static bool binds_now(const ElfW(Dyn) * entry) {
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
        uintptr_t start = object->dlpi_addr + header->p_vaddr;
        if (header->p_type == PT_DYNAMIC) {
            objects->tables = start;
            objects->binds_now = binds_now((const void *)start);
        } else if (header->p_type == PT_GNU_RELRO) {
            objects->relocated = (struct sandglass_range){start, start + header->p_memsz};
        } else if (header->p_type == PT_LOAD && header->p_flags & PF_W) {
            objects->file_end = start + header->p_filesz;
        }
    }
}

static bool is_named(const char *path, const char *name) {
    const char *last = strrchr(path, '/');
    return strncmp(last ? last + 1 : path, name, strlen(name)) == 0;
}

// Returns the extent of a whole object, or of its segments with the given flags.
static struct sandglass_range extent(const struct dl_phdr_info *object, ElfW(Word) flags) {
    struct sandglass_range extent = {UINTPTR_MAX, 0};
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &object->dlpi_phdr[i];
        if (header->p_type != PT_LOAD || (header->p_flags & flags) != flags) continue;
        uintptr_t first = object->dlpi_addr + header->p_vaddr;
        if (first < extent.start) extent.start = first;
        if (first + header->p_memsz > extent.end) extent.end = first + header->p_memsz;
    }
    return extent.end == 0 ? (struct sandglass_range){0, 0} : extent;
}

static void add_thread_variables(const struct dl_phdr_info *object, struct sandglass_range *thread) {
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &object->dlpi_phdr[i];
        if (header->p_type != PT_TLS) continue;
        // Below or above the thread pointer, depending on the processor.
        size_t size = header->p_memsz + header->p_align;
        thread->start -= size;
        thread->end += size;
    }
}

// Called for each object in the order of symbol look-up (dl_iterate_phdr(3)). A program that binds lazily reads the
// symbols of all objects before the C library, and needs the linker's code. Such a program keeps these objects.
static int add_object(struct dl_phdr_info *object, size_t size, void *context) {
    (void)size;
    struct objects *objects = context;
    bool is_program = objects->count == 0;
    bool is_libc = is_named(object->dlpi_name, "libc.so"), is_linker = is_named(object->dlpi_name, "ld-linux");
    struct sandglass_range written = extent(object, PF_W);
    add_thread_variables(object, &objects->thread);
    if (is_program) {
        read_program(object, objects);
        objects->program = written;
    }
    if (is_libc) objects->libc = written;
    if (is_linker) objects->linker = written;
    bool is_needed = is_program || is_libc || is_linker || (!objects->binds_now && !objects->has_passed_libc);
    if (is_libc) objects->has_passed_libc = true;
    if (!is_needed) return 0;
    if (objects->count == OBJECTS) return 1;
    objects->ranges[objects->count++] = is_linker && objects->binds_now ? written : extent(object, 0);
    return 0;
}

// Returns whether no other object can come between the program and the C library (ld.so(8)).
static bool is_loaded_plainly(void) {
    return !getenv("LD_PRELOAD") && !getenv("LD_AUDIT") && access("/etc/ld.so.preload", F_OK) < 0;
}

static bool overlap(struct sandglass_range one, struct sandglass_range other) {
    return one.start < other.end && other.start < one.end;
}

static bool contains(struct sandglass_range range, uintptr_t address) {
    return range.start <= address && address < range.end;
}

static bool is_needed(
    const struct objects *objects, struct sandglass_range mapping, const char *name, struct sandglass_range plan
) {
    // The kernel's own mappings, and the first thread's stack with the arguments and the environment.
    if (name[0] == '[' && strncmp(name, "[heap]", 6) != 0 && strncmp(name, "[anon", 5) != 0) return true;
    if (contains(mapping, (uintptr_t)__builtin_frame_address(0)) || overlap(mapping, plan)) return true;
    for (uint32_t i = 0; i < objects->count; i++)
        if (overlap(mapping, objects->ranges[i])) return true;
    return false;
}

static bool add_range(struct sandglass_kept_memory *kept, struct sandglass_range range) {
    if (range.start >= range.end) return true;
    if (kept->count > 0 && kept->ranges[kept->count - 1].end == range.start) {
        kept->ranges[kept->count - 1].end = range.end;
        return true;
    }
    if (kept->count == SANDGLASS_KEPT_RANGES) return false;
    kept->ranges[kept->count++] = range;
    return true;
}

static struct sandglass_range whole_pages(struct sandglass_range range, uintptr_t page) {
    return (struct sandglass_range){range.start & -page, (range.end + page - 1) & -page};
}

// Finds the program's variables. The launcher needs only the tables among them, and most of the written pages can be
// released with the others.
static void find_written(struct sandglass_kept_memory *kept, const struct objects *objects) {
    uintptr_t page = kept->page, tables = objects->tables & -page;
    struct sandglass_range relocated = objects->relocated;
    if (!objects->binds_now || relocated.start >= tables || relocated.end <= tables
        || relocated.end >= objects->program.end)
        return;
    uintptr_t end = (relocated.end + page - 1) & -page;
    kept->relocated = (struct sandglass_range){relocated.start & -page, tables};
    kept->variables = (struct sandglass_range){end, (objects->program.end + page - 1) & -page};
    kept->frozen[0] = (struct sandglass_range){tables, end};
    kept->frozen[1] = whole_pages(objects->libc, page);
    kept->frozen[2] = whole_pages(objects->linker, page);
}

static void map_constants(struct sandglass_kept_memory *kept, struct sandglass_range mapping, size_t offset) {
    int program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (program < 0) return;
    void *fresh = mmap(NULL, mapping.end - mapping.start, PROT_READ, MAP_PRIVATE, program, (off_t)offset);
    close(program);
    if (fresh == MAP_FAILED) return;
    kept->constants = mapping;
    kept->constants_fresh = (uintptr_t)fresh;
}

// Returns the part of a mapping that holds the thread's variables. The rest may be anything, because the kernel
// merges adjacent anonymous mappings.
static struct sandglass_range part_of_thread(
    const struct objects *objects, struct sandglass_range mapping, uintptr_t page
) {
    struct sandglass_range thread = whole_pages(objects->thread, page);
    if (thread.start > mapping.start) mapping.start = thread.start;
    if (thread.end < mapping.end) mapping.end = thread.end;
    return mapping;
}

static bool find(struct sandglass_kept_memory *kept, FILE *maps, struct sandglass_range plan, const char *arguments) {
    // The C library's own record of a thread is smaller than a page.
    uintptr_t thread = (uintptr_t)__builtin_thread_pointer();
    struct objects objects = {.thread = {thread - kept->page, thread + kept->page}};
    if (dl_iterate_phdr(add_object, &objects) != 0 || !objects.has_passed_libc) return false;
    // If this code were in a shared library, the launcher would need that library too.
    if (!contains(objects.ranges[0], (uintptr_t)&find)) return false;
    find_written(kept, &objects);
    char *line = NULL;
    size_t capacity = 0;
    bool is_complete = true;
    while (is_complete && getline(&line, &capacity, maps) > 0) {
        struct sandglass_range mapping;
        size_t offset;
        int name = 0;
        is_complete =
            sscanf(line, "%zx-%zx %*s %zx %*s %*s %n", &mapping.start, &mapping.end, &offset, &name) == 3 && name > 0;
        if (!is_complete) break;
        bool is_whole = is_needed(&objects, mapping, line + name, plan);
        is_complete = add_range(kept, is_whole ? mapping : part_of_thread(&objects, mapping, kept->page));
        // Maps everything that the file holds, or nothing: the rest of the range is released.
        if (mapping.start == kept->variables.start && mapping.end >= objects.file_end && line[name] == '/')
            map_constants(kept, mapping, offset);
        if (strncmp(line + name, "[stack]", 7) == 0 && contains(mapping, (uintptr_t)arguments))
            kept->stack = (struct sandglass_range){mapping.start, (uintptr_t)arguments & -kept->page};
    }
    free(line);
    return is_complete && !ferror(maps);
}

void sandglass_memory_find(struct sandglass_kept_memory *kept, const void *plan, size_t length, const char *arguments) {
    *kept = (struct sandglass_kept_memory){.page = (uintptr_t)sysconf(_SC_PAGESIZE)};
    if (KEEP_ALL || !is_loaded_plainly()) return;
    FILE *maps = fopen("/proc/self/maps", "re");
    if (!maps) return;
    // If any part of the memory map is not understood, nothing is released. The only cost is a slower fork.
    if (!find(kept, maps, (struct sandglass_range){(uintptr_t)plan, (uintptr_t)plan + length}, arguments))
        kept->count = 0;
    fclose(maps);
}

void sandglass_memory_discard(const struct sandglass_kept_memory *kept) {
    if (kept->constants_fresh) munmap((void *)kept->constants_fresh, kept->constants.end - kept->constants.start);
}

// MARK: Release

static size_t length_of(struct sandglass_range range) { return range.end > range.start ? range.end - range.start : 0; }

// Replaces written pages by mappings of a file with the same contents. A fork copies nothing of them, and stray
// writes find them read-only.
static void freeze(const struct sandglass_range *ranges) {
    int file = memfd_create("launcher", MFD_CLOEXEC);
    if (file < 0) return;
    off_t offset = 0;
    for (size_t i = 0; i < SANDGLASS_FROZEN_RANGES; offset += (off_t)length_of(ranges[i++])) {
        size_t length = length_of(ranges[i]);
        if (length == 0 || pwrite(file, (void *)ranges[i].start, length, offset) != (ssize_t)length) continue;
        mmap((void *)ranges[i].start, length, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, offset);
    }
    close(file);
}

static void release_variables(const struct sandglass_kept_memory *kept) {
    munmap((void *)kept->relocated.start, length_of(kept->relocated));
    if (!kept->constants_fresh) {
        madvise((void *)kept->variables.start, length_of(kept->variables), MADV_DONTNEED);
        return;
    }
    // Replaces the mapping in one step, so that a reader of the constants finds them at any time.
    size_t length = length_of(kept->constants);
    mremap((void *)kept->constants_fresh, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, kept->constants.start);
    if (kept->constants.end < kept->variables.end)
        munmap((void *)kept->constants.end, kept->variables.end - kept->constants.end);
}

void sandglass_memory_release(const struct sandglass_kept_memory *kept, const void *plan, size_t length) {
    // The plan's memory is shared with all slots.
    mprotect((void *)(uintptr_t)plan, length, PROT_READ);
    if (kept->count == 0) return;
    freeze(kept->frozen);
    if (length_of(kept->relocated) > 0) release_variables(kept);
    // Unmaps the gaps, including later mappings in them.
    uintptr_t start = 0;
    for (uint32_t i = 0; i < kept->count; i++) {
        uintptr_t end = kept->ranges[i].start;
        if (end > start) munmap((void *)start, end - start);
        start = kept->ranges[i].end;
    }
}

void sandglass_memory_release_frames(const struct sandglass_kept_memory *kept, const void *frame) {
    if (kept->count == 0 || !contains(kept->stack, (uintptr_t)frame)) return;
    // Keeps one page more than the frames, because the compiler chooses where in a frame its variables are.
    struct sandglass_range used = {
        ((uintptr_t)__builtin_frame_address(0) & -kept->page) - kept->page,
        ((uintptr_t)frame + 2 * kept->page - 1) & -kept->page,
    };
    if (used.start > kept->stack.start)
        madvise((void *)kept->stack.start, used.start - kept->stack.start, MADV_DONTNEED);
    if (used.end < kept->stack.end) madvise((void *)used.end, kept->stack.end - used.end, MADV_DONTNEED);
}
