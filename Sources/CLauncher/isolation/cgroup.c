#include "cgroup_view.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

// A group may keep up to this much page cache for its next run. The cache does no harm, because the kernel drops it
// before it refuses memory. Reading it again from disk would cost every run of a large program.
static const uint64_t tolerated_page_cache = UINT64_C(64) << 20;
// The swap that a group may use beyond its memory. It must not be 0: otherwise the limit on memory plus swap would be
// reached first, and a different counter would record that.
static const uint64_t swap_slack = UINT64_C(1) << 20;
// The group also contains the zygote and the slot.
enum { OWN_PROCESSES_V1 = 2, OWN_PROCESSES_V2 = 1 };

struct file {
    uint32_t controller;
    int mode;
    bool required;
    char name[32]; // an array, because constants with pointers are not available (memory.h)
};

static const struct file files_v1[SANDGLASS_CGROUP_OOM_EVENT] = {
    [SANDGLASS_CGROUP_MEMORY_LIMIT] = {SANDGLASS_CONTROLLER_MEMORY, O_WRONLY, true, "memory.limit_in_bytes"},
    [SANDGLASS_CGROUP_SWAP_LIMIT] = {SANDGLASS_CONTROLLER_MEMORY, O_WRONLY, false, "memory.memsw.limit_in_bytes"},
    [SANDGLASS_CGROUP_PROCESS_LIMIT] = {SANDGLASS_CONTROLLER_PIDS, O_WRONLY, true, "pids.max"},
    [SANDGLASS_CGROUP_MEMORY_USAGE] = {SANDGLASS_CONTROLLER_MEMORY, O_RDONLY, true, "memory.usage_in_bytes"},
    [SANDGLASS_CGROUP_MEMORY_PEAK] = {SANDGLASS_CONTROLLER_MEMORY, O_RDWR, true, "memory.max_usage_in_bytes"},
    [SANDGLASS_CGROUP_MEMORY_FAILURES] = {SANDGLASS_CONTROLLER_MEMORY, O_RDONLY, true, "memory.failcnt"},
    [SANDGLASS_CGROUP_MEMORY_EVENTS] = {SANDGLASS_CONTROLLER_MEMORY, O_RDONLY, true, "memory.oom_control"},
    [SANDGLASS_CGROUP_CPU_USAGE] = {SANDGLASS_CONTROLLER_CPU, O_RDONLY, true, "cpuacct.usage"},
};
static const struct file files_v2[SANDGLASS_CGROUP_OOM_EVENT] = {
    [SANDGLASS_CGROUP_MEMORY_LIMIT] = {SANDGLASS_CONTROLLER_MEMORY, O_WRONLY, true, "memory.max"},
    [SANDGLASS_CGROUP_PROCESS_LIMIT] = {SANDGLASS_CONTROLLER_PIDS, O_WRONLY, true, "pids.max"},
    [SANDGLASS_CGROUP_MEMORY_USAGE] = {SANDGLASS_CONTROLLER_MEMORY, O_RDONLY, true, "memory.current"},
    // Linux 5.19 introduced this file.
    [SANDGLASS_CGROUP_MEMORY_PEAK] = {SANDGLASS_CONTROLLER_MEMORY, O_RDONLY, false, "memory.peak"},
    [SANDGLASS_CGROUP_MEMORY_EVENTS] = {SANDGLASS_CONTROLLER_MEMORY, O_RDONLY, true, "memory.events"},
    [SANDGLASS_CGROUP_CPU_USAGE] = {SANDGLASS_CONTROLLER_CPU, O_RDONLY, true, "cpu.stat"},
    [SANDGLASS_CGROUP_MEMORY_STAT] = {SANDGLASS_CONTROLLER_MEMORY, O_RDONLY, false, "memory.stat"},
};

bool sandglass_cgroup_has(const struct sandglass_cgroup *cgroup, enum sandglass_cgroup_file file) {
    return (cgroup->files & (UINT32_C(1) << file)) != 0;
}

// MARK: Names

static char *append_slot(char *at, uint32_t slot) {
    return sandglass_append_number(sandglass_append_text(at, "slot-"), slot);
}

static int open_in(int directory, uint32_t slot, const char *name, int mode) {
    char path[64];
    sandglass_append_text(sandglass_append_text(append_slot(path, slot), "/"), name);
    return openat(directory, path, mode | O_CLOEXEC | O_NOFOLLOW);
}

static int write_in(int directory, uint32_t slot, const char *name, const char *text) {
    int file = open_in(directory, slot, name, O_WRONLY);
    if (file < 0) return -1;
    ssize_t written = write(file, text, strlen(text));
    int error = errno;
    close(file);
    errno = error;
    return written < 0 ? -1 : 0;
}

bool sandglass_cgroup_is_first(const struct sandglass_cgroup_tree *cgroups, uint32_t controller) {
    if (cgroups->directories[controller] < 0) return false;
    for (uint32_t other = 0; other < controller; other++)
        if (cgroups->directories[other] == cgroups->directories[controller]) return false;
    return true;
}

// MARK: Creation and removal

// Async-signal-safe, like every function below.
int sandglass_cgroup_keep_directories(struct sandglass_cgroup_tree *cgroups) {
    // Moves the descriptors out of the range of the fixed numbers first, then to their fixed numbers.
    int next = SANDGLASS_CGROUP_END;
    int moved[SANDGLASS_CONTROLLERS];
    for (uint32_t i = 0; i < SANDGLASS_CONTROLLERS; i++) {
        moved[i] = -1;
        for (uint32_t other = 0; other < i && cgroups->directories[i] >= 0; other++)
            if (cgroups->directories[other] == cgroups->directories[i]) moved[i] = moved[other];
        if (cgroups->directories[i] < 0 || moved[i] >= 0) continue;
        moved[i] = fcntl(cgroups->directories[i], F_DUPFD_CLOEXEC, SANDGLASS_CGROUP_END + SANDGLASS_CONTROLLERS);
        if (moved[i] < 0) return -1;
    }
    for (uint32_t i = 0; i < SANDGLASS_CONTROLLERS; i++) {
        cgroups->directories[i] = -1;
        for (uint32_t other = 0; other < i && moved[i] >= 0; other++)
            if (moved[other] == moved[i]) cgroups->directories[i] = cgroups->directories[other];
        if (moved[i] < 0 || cgroups->directories[i] >= 0) continue;
        if (dup3(moved[i], next, O_CLOEXEC) < 0) return -1;
        cgroups->directories[i] = next++;
    }
    // Reserves the numbers of the group files from the start, so that no other descriptor ever gets one.
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) return -1;
    for (int file = SANDGLASS_CGROUP_FIRST_FILE; file < SANDGLASS_CGROUP_END; file++)
        if (file != null && dup3(null, file, O_CLOEXEC) < 0) return -1;
    return next;
}

int sandglass_cgroup_make(const struct sandglass_cgroup_tree *cgroups, uint32_t slot) {
    char name[32];
    append_slot(name, slot);
    for (uint32_t i = 0; i < SANDGLASS_CONTROLLER_QUOTA; i++) {
        if (!sandglass_cgroup_is_first(cgroups, i)) continue;
        // A version 2 group is made anew for each slot, so its counters start at 0.
        if (cgroups->version == 2) unlinkat(cgroups->directories[i], name, AT_REMOVEDIR);
        if (mkdirat(cgroups->directories[i], name, 0755) < 0 && errno != EEXIST) return -1;
    }
    if (cgroups->version == 2) {
        int memory = cgroups->directories[SANDGLASS_CONTROLLER_MEMORY];
        // A kernel without swap (CONFIG_SWAP) does not have this file.
        if (memory >= 0 && write_in(memory, slot, "memory.swap.max", "0") < 0 && errno != ENOENT) return -1;
        if (memory >= 0 && write_in(memory, slot, "memory.oom.group", "1") < 0) return -1;
    } else if (cgroups->directories[SANDGLASS_CONTROLLER_MEMORY] >= 0) {
        write_in(cgroups->directories[SANDGLASS_CONTROLLER_MEMORY], slot, "memory.swappiness", "0");
    }
    return 0;
}

int sandglass_cgroup_remove(const struct sandglass_cgroup_tree *cgroups, uint32_t slot) {
    char name[32];
    append_slot(name, slot);
    int result = 0;
    for (uint32_t i = 0; i < SANDGLASS_CONTROLLER_CPUSET; i++) {
        if (!sandglass_cgroup_is_first(cgroups, i)) continue;
        if (unlinkat(cgroups->directories[i], name, AT_REMOVEDIR) < 0 && errno != ENOENT) result = -1;
    }
    return result;
}

// v2: moves the server and the launcher back out of a child group. The server had to move itself there before it could
// make groups.
static void leave_service(int directory, int parent) {
    // arrays, because constants with pointers are not available (memory.h)
    static const char passed[][8] = {"-cpu", "-memory", "-pids"};
    int groups[] = {directory, parent};
    for (size_t i = 0; i < 2; i++)
        for (size_t controller = 0; controller < sizeof passed / sizeof passed[0]; controller++)
            sandglass_write_file(groups[i], "cgroup.subtree_control", passed[controller]);
    // "0" means the writer itself. The server may have exited already.
    char server[24];
    sandglass_append_number(server, (uint64_t)getppid());
    sandglass_write_file(parent, "cgroup.procs", server);
    sandglass_write_file(parent, "cgroup.procs", "0");
    unlinkat(directory, "service", AT_REMOVEDIR);
}

void sandglass_cgroup_remove_directories(const struct sandglass_cgroup_tree *cgroups) {
    for (uint32_t i = 0; i < SANDGLASS_CONTROLLERS; i++) {
        if (!sandglass_cgroup_is_first(cgroups, i)) continue;
        // Uses the name in the parent directory, because the host's paths are out of reach.
        int parent = openat(cgroups->directories[i], "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (parent < 0) continue;
        if (cgroups->version == 2 && faccessat(cgroups->directories[i], "service", F_OK, 0) == 0)
            leave_service(cgroups->directories[i], parent);
        if (cgroups->version == 1) sandglass_cgroup_leave_common(cgroups->directories[i], parent);
        unlinkat(parent, cgroups->name, AT_REMOVEDIR);
        close(parent);
    }
}

int sandglass_cgroup_open_directory(const struct sandglass_cgroup_tree *cgroups, uint32_t slot) {
    char name[32];
    append_slot(name, slot);
    return openat(
        cgroups->directories[SANDGLASS_CONTROLLER_MEMORY], name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW
    );
}

void sandglass_cgroup_kill(const struct sandglass_cgroup_tree *cgroups, uint32_t slot) {
    // Linux 5.14 introduced this file. The end of the slot's pid namespace is enough. This write is a second safeguard.
    write_in(cgroups->directories[SANDGLASS_CONTROLLER_MEMORY], slot, "cgroup.kill", "1");
}

int sandglass_cgroup_attach(const struct sandglass_cgroup_tree *cgroups, uint32_t slot) {
    for (uint32_t i = 0; i < SANDGLASS_CONTROLLER_QUOTA; i++)
        if (sandglass_cgroup_is_first(cgroups, i) && write_in(cgroups->directories[i], slot, "cgroup.procs", "0") < 0)
            return -1;
    return 0;
}

int sandglass_cgroup_renew(
    const struct sandglass_cgroup_tree *cgroups, uint32_t slot, struct sandglass_cgroup *cgroup
) {
    char old[32], new[40];
    sandglass_append_text(append_slot(new, slot), "-new");
    append_slot(old, slot);
    for (uint32_t i = 0; i < SANDGLASS_CONTROLLER_QUOTA; i++) {
        if (!sandglass_cgroup_is_first(cgroups, i)) continue;
        int directory = cgroups->directories[i];
        char procs[64];
        sandglass_append_text(sandglass_append_text(procs, new), "/cgroup.procs");
        if ((mkdirat(directory, new, 0755) < 0 && errno != EEXIST) || sandglass_write_file(directory, procs, "0") < 0
            || unlinkat(directory, old, AT_REMOVEDIR) < 0 || renameat(directory, new, directory, old) < 0)
            return -1;
    }
    if (cgroups->directories[SANDGLASS_CONTROLLER_MEMORY] >= 0)
        write_in(cgroups->directories[SANDGLASS_CONTROLLER_MEMORY], slot, "memory.swappiness", "0");
    if (sandglass_cgroup_open(cgroups, slot, cgroup) < 0) return -1;
    sandglass_cgroup_watch_oom(cgroups, slot, cgroup);
    return 0;
}

// MARK: Processors

// The period of a quota, as it is by default (cgroup-v2.rst, "cpu.max").
static const uint64_t quota_period = 100000;

static int write_quota_v1(int directory, uint32_t slot, const char *quota) {
    char period[24];
    sandglass_append_number(period, quota_period);
    if (write_in(directory, slot, "cpu.cfs_period_us", period) < 0) return -1;
    return write_in(directory, slot, "cpu.cfs_quota_us", quota);
}

int sandglass_cgroup_limit_processors(
    const struct sandglass_cgroup_tree *cgroups, uint32_t slot, struct sandglass_cgroup *cgroup, uint64_t microseconds
) {
    int directory = cgroups->directories[SANDGLASS_CONTROLLER_QUOTA];
    if (microseconds == 0 || directory < 0) return 0;
    char text[64];
    char *end = sandglass_append_number(text, microseconds);
    if (cgroups->version == 2) {
        sandglass_append_number(sandglass_append_text(end, " "), quota_period);
        sandglass_write_file(directory, "cgroup.subtree_control", "+cpu");
        return write_in(directory, slot, "cpu.max", text);
    }
    char name[32];
    append_slot(name, slot);
    if (mkdirat(directory, name, 0755) < 0 && errno != EEXIST) return -1;
    cgroup->has_quota = true;
    return write_quota_v1(directory, slot, text);
}

int sandglass_cgroup_join_quota(
    const struct sandglass_cgroup_tree *cgroups, uint32_t slot, const struct sandglass_cgroup *cgroup
) {
    if (!cgroup->has_quota || !sandglass_cgroup_is_first(cgroups, SANDGLASS_CONTROLLER_QUOTA)) return 0;
    return write_in(cgroups->directories[SANDGLASS_CONTROLLER_QUOTA], slot, "cgroup.procs", "0");
}

// MARK: Files

// The kernel notifies the eventfd of each OOM in the group (cgroup-v1/memory.rst, "OOM Control").
void sandglass_cgroup_watch_oom(
    const struct sandglass_cgroup_tree *cgroups, uint32_t slot, struct sandglass_cgroup *cgroup
) {
    if (cgroups->version != 1 || !sandglass_cgroup_has(cgroup, SANDGLASS_CGROUP_MEMORY_EVENTS)) return;
    int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event < 0) return;
    int wanted = sandglass_cgroup_descriptor(SANDGLASS_CGROUP_OOM_EVENT);
    if (dup3(event, wanted, O_CLOEXEC) >= 0) {
        char line[48];
        char *at = sandglass_append_number(line, (uint64_t)wanted);
        at = sandglass_append_text(at, " ");
        sandglass_append_number(at, (uint64_t)sandglass_cgroup_descriptor(SANDGLASS_CGROUP_MEMORY_EVENTS));
        if (write_in(cgroups->directories[SANDGLASS_CONTROLLER_MEMORY], slot, "cgroup.event_control", line) == 0)
            cgroup->files |= UINT32_C(1) << SANDGLASS_CGROUP_OOM_EVENT;
    }
    close(event);
}

int sandglass_cgroup_open(const struct sandglass_cgroup_tree *cgroups, uint32_t slot, struct sandglass_cgroup *cgroup) {
    const struct file *files = cgroups->version == 2 ? files_v2 : files_v1;
    *cgroup = (struct sandglass_cgroup){.version = cgroups->version};
    for (uint32_t i = 0; i < SANDGLASS_CGROUP_OOM_EVENT; i++) {
        if (!files[i].name[0] || cgroups->directories[files[i].controller] < 0) continue;
        int file = open_in(cgroups->directories[files[i].controller], slot, files[i].name, files[i].mode);
        if (file < 0 && files[i].required) return -1;
        if (file < 0) continue;
        int placed = dup3(file, sandglass_cgroup_descriptor(i), O_CLOEXEC);
        close(file);
        if (placed < 0) return -1;
        cgroup->files |= UINT32_C(1) << i;
    }
    cgroup->initial = sandglass_cgroup_read(cgroup);
    return 0;
}

void sandglass_cgroup_close(void) {
    for (int file = SANDGLASS_CGROUP_FIRST_FILE; file < SANDGLASS_CGROUP_END; file++) dup3(0, file, O_CLOEXEC);
}

static int write_text(enum sandglass_cgroup_file file, const char *text) {
    return pwrite(sandglass_cgroup_descriptor(file), text, strlen(text), 0) < 0 ? -1 : 0;
}

static int write_number(enum sandglass_cgroup_file file, uint64_t number) {
    char text[24];
    sandglass_append_number(text, number);
    return write_text(file, text);
}

// Reads a whole small file. The text is always NUL-terminated.
static void read_text(enum sandglass_cgroup_file file, char *text, size_t size) {
    ssize_t length = pread(sandglass_cgroup_descriptor(file), text, size - 1, 0);
    text[length < 0 ? 0 : length] = '\0';
}

static uint64_t parse(const char *at) {
    uint64_t number = 0;
    while (*at >= '0' && *at <= '9') number = number * 10 + (uint64_t)(*at++ - '0');
    return number;
}

// Returns the number after a word at the start of a line.
static uint64_t field(const char *text, const char *name) {
    size_t length = strlen(name);
    for (const char *line = text; line && *line; line = strchr(line, '\n')) {
        if (*line == '\n') line++;
        if (strncmp(line, name, length) == 0 && line[length] == ' ') return parse(line + length + 1);
    }
    return 0;
}

static uint64_t read_number(const struct sandglass_cgroup *cgroup, enum sandglass_cgroup_file file) {
    char text[32];
    if (!sandglass_cgroup_has(cgroup, file)) return 0;
    read_text(file, text, sizeof text);
    return parse(text);
}

// MARK: Limits

bool sandglass_cgroup_has_leftovers(const struct sandglass_cgroup *cgroup) {
    return read_number(cgroup, SANDGLASS_CGROUP_MEMORY_USAGE) > tolerated_page_cache;
}

void sandglass_cgroup_reset(
    const struct sandglass_cgroup_tree *cgroups, uint32_t slot, struct sandglass_cgroup *cgroup
) {
    if (read_number(cgroup, SANDGLASS_CGROUP_MEMORY_USAGE) > tolerated_page_cache)
        write_in(cgroups->directories[SANDGLASS_CONTROLLER_MEMORY], slot, "memory.force_empty", "0");
    if (sandglass_cgroup_has(cgroup, SANDGLASS_CGROUP_SWAP_LIMIT)) write_text(SANDGLASS_CGROUP_SWAP_LIMIT, "-1");
    if (sandglass_cgroup_has(cgroup, SANDGLASS_CGROUP_MEMORY_LIMIT)) write_text(SANDGLASS_CGROUP_MEMORY_LIMIT, "-1");
    if (sandglass_cgroup_has(cgroup, SANDGLASS_CGROUP_PROCESS_LIMIT)) write_text(SANDGLASS_CGROUP_PROCESS_LIMIT, "max");
    // The cpu controller may share a hierarchy with others.
    if (cgroup->has_quota) write_quota_v1(cgroups->directories[SANDGLASS_CONTROLLER_QUOTA], slot, "-1");
    cgroup->has_quota = false;
    cgroup->initial = sandglass_cgroup_read(cgroup);
}

int sandglass_cgroup_set_limits(const struct sandglass_cgroup *cgroup, const struct sandglass_command *command) {
    uint64_t own = cgroup->version == 2 ? OWN_PROCESSES_V2 : OWN_PROCESSES_V1;
    if (sandglass_cgroup_has(cgroup, SANDGLASS_CGROUP_MEMORY_LIMIT)
        && write_number(SANDGLASS_CGROUP_MEMORY_LIMIT, command->memory_bytes) < 0)
        return -1;
    // Written after the memory limit, because the limit on memory alone must not be larger than this one.
    if (sandglass_cgroup_has(cgroup, SANDGLASS_CGROUP_SWAP_LIMIT)
        && write_number(SANDGLASS_CGROUP_SWAP_LIMIT, command->memory_bytes + swap_slack) < 0)
        return -1;
    if (sandglass_cgroup_has(cgroup, SANDGLASS_CGROUP_PROCESS_LIMIT)
        && write_number(SANDGLASS_CGROUP_PROCESS_LIMIT, command->processes + own) < 0)
        return -1;
    return 0;
}

void sandglass_cgroup_start_counting(struct sandglass_cgroup *cgroup) {
    cgroup->initial.cpu_nanoseconds = sandglass_cgroup_cpu_nanoseconds(cgroup);
    // Memory that was in the group before its slot does not belong to this run. The slot's own memory, about 200 KiB,
    // does. Some of the older memory may have been released since then.
    uint64_t now = read_number(cgroup, SANDGLASS_CGROUP_MEMORY_USAGE);
    if (now < cgroup->initial.memory_bytes) cgroup->initial.memory_bytes = now;
    if (cgroup->version == 1 && sandglass_cgroup_has(cgroup, SANDGLASS_CGROUP_MEMORY_PEAK))
        write_text(SANDGLASS_CGROUP_MEMORY_PEAK, "0");
}

// MARK: Counters

uint64_t sandglass_cgroup_cpu_nanoseconds(const struct sandglass_cgroup *cgroup) {
    if (cgroup->version != 2) return read_number(cgroup, SANDGLASS_CGROUP_CPU_USAGE);
    char text[512];
    if (!sandglass_cgroup_has(cgroup, SANDGLASS_CGROUP_CPU_USAGE)) return 0;
    read_text(SANDGLASS_CGROUP_CPU_USAGE, text, sizeof text);
    return field(text, "usage_usec") * 1000;
}

static void read_oom(const struct sandglass_cgroup *cgroup, struct sandglass_cgroup_reading *reading) {
    if (!sandglass_cgroup_has(cgroup, SANDGLASS_CGROUP_MEMORY_EVENTS)) return;
    char text[512];
    read_text(SANDGLASS_CGROUP_MEMORY_EVENTS, text, sizeof text);
    reading->oom_kills = field(text, "oom_kill");
    reading->limit_failures =
        cgroup->version == 2 ? field(text, "oom") : read_number(cgroup, SANDGLASS_CGROUP_MEMORY_FAILURES);
}

uint64_t sandglass_cgroup_oom_kills(const struct sandglass_cgroup *cgroup) {
    struct sandglass_cgroup_reading now = {0};
    read_oom(cgroup, &now);
    // The OOM killer also acts when the whole host is out of memory. The run's own limit has no part in that.
    return now.limit_failures > cgroup->initial.limit_failures ? now.oom_kills - cgroup->initial.oom_kills : 0;
}

struct sandglass_cgroup_reading sandglass_cgroup_read(const struct sandglass_cgroup *cgroup) {
    struct sandglass_cgroup_reading reading = {
        .cpu_nanoseconds = sandglass_cgroup_cpu_nanoseconds(cgroup),
        .memory_bytes = read_number(cgroup, SANDGLASS_CGROUP_MEMORY_USAGE),
        .peak_bytes = read_number(cgroup, SANDGLASS_CGROUP_MEMORY_PEAK),
    };
    read_oom(cgroup, &reading);
    return reading;
}

static void add_memory_at_end(const struct sandglass_cgroup *cgroup, struct sandglass_usage *usage) {
    // The fields are among the first of some fifty.
    char text[1024];
    if (!sandglass_cgroup_has(cgroup, SANDGLASS_CGROUP_MEMORY_STAT)) return;
    read_text(SANDGLASS_CGROUP_MEMORY_STAT, text, sizeof text);
    uint64_t files = field(text, "file");
    usage->shared_bytes = field(text, "shmem");
    usage->cache_bytes = files > usage->shared_bytes ? files - usage->shared_bytes : 0;
    // Linux 5.18 introduced the sum.
    usage->kernel_bytes = field(text, "kernel");
    if (usage->kernel_bytes == 0)
        usage->kernel_bytes = field(text, "kernel_stack") + field(text, "pagetables") + field(text, "slab");
    usage->has_memory_at_end = 1;
}

void sandglass_cgroup_add_usage(
    const struct sandglass_cgroup *cgroup, const struct sandglass_cgroup_reading *now, struct sandglass_usage *usage
) {
    const struct sandglass_cgroup_reading *initial = &cgroup->initial;
    if (sandglass_cgroup_has(cgroup, SANDGLASS_CGROUP_CPU_USAGE)) {
        // The group has the exact sum, which includes processes that no process waited for. getrusage(2) has the ratio
        // of user to system time.
        uint64_t total = (now->cpu_nanoseconds - initial->cpu_nanoseconds) / 1000;
        uint64_t known = usage->user_microseconds + usage->system_microseconds;
        uint64_t system =
            known == 0 ? 0 : (uint64_t)((double)total * (double)usage->system_microseconds / (double)known);
        usage->user_microseconds = total - system;
        usage->system_microseconds = system;
    }
    if (sandglass_cgroup_has(cgroup, SANDGLASS_CGROUP_MEMORY_PEAK)) {
        // A run that reached its limit used all of it, because memory from before the run has been released by then.
        bool met_limit = now->limit_failures > initial->limit_failures;
        uint64_t before = met_limit || now->peak_bytes < initial->memory_bytes ? 0 : initial->memory_bytes;
        // The kernel counts in steps of about 256 KiB. A small run's usage may be 0 here, and then the figure of
        // getrusage(2) is kept.
        if (now->peak_bytes > before) usage->peak_bytes = now->peak_bytes - before;
    }
    add_memory_at_end(cgroup, usage);
}
