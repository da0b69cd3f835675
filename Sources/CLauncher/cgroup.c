#include "cgroup.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

// More page cache than this is not left to the next run of a group. Less does no harm: it is given up before anybody is
// refused memory, and reading it again from the disk would cost every run of a large program.
static const uint64_t tolerated_leftover = UINT64_C(64) << 20;
// Swap that a group may have beyond its memory. Not nothing, or the limit that is met first were the one on both, and
// the counter that tells of it another.
static const uint64_t swap_slack = UINT64_C(1) << 20;
// The zygote and the slot are in the group too.
enum { OWN_PROCESSES_V1 = 2, OWN_PROCESSES_V2 = 1 };

struct file {
    uint32_t controller;
    int mode;
    bool required;
    char name[32]; // not a pointer: memory.h
};

static const struct file files_v1[SANDGLASS_GROUP_OOM_EVENT] = {
    [SANDGLASS_GROUP_MEMORY_LIMIT] = {SANDGLASS_CONTROLLER_MEMORY, O_WRONLY, true, "memory.limit_in_bytes"},
    [SANDGLASS_GROUP_SWAP_LIMIT] = {SANDGLASS_CONTROLLER_MEMORY, O_WRONLY, false, "memory.memsw.limit_in_bytes"},
    [SANDGLASS_GROUP_PROCESS_LIMIT] = {SANDGLASS_CONTROLLER_PIDS, O_WRONLY, true, "pids.max"},
    [SANDGLASS_GROUP_MEMORY_USAGE] = {SANDGLASS_CONTROLLER_MEMORY, O_RDONLY, true, "memory.usage_in_bytes"},
    [SANDGLASS_GROUP_MEMORY_PEAK] = {SANDGLASS_CONTROLLER_MEMORY, O_RDWR, true, "memory.max_usage_in_bytes"},
    [SANDGLASS_GROUP_MEMORY_FAILURES] = {SANDGLASS_CONTROLLER_MEMORY, O_RDONLY, true, "memory.failcnt"},
    [SANDGLASS_GROUP_MEMORY_EVENTS] = {SANDGLASS_CONTROLLER_MEMORY, O_RDONLY, true, "memory.oom_control"},
    [SANDGLASS_GROUP_CPU_USAGE] = {SANDGLASS_CONTROLLER_CPU, O_RDONLY, true, "cpuacct.usage"},
};
static const struct file files_v2[SANDGLASS_GROUP_OOM_EVENT] = {
    [SANDGLASS_GROUP_MEMORY_LIMIT] = {SANDGLASS_CONTROLLER_MEMORY, O_WRONLY, true, "memory.max"},
    [SANDGLASS_GROUP_PROCESS_LIMIT] = {SANDGLASS_CONTROLLER_PIDS, O_WRONLY, true, "pids.max"},
    [SANDGLASS_GROUP_MEMORY_USAGE] = {SANDGLASS_CONTROLLER_MEMORY, O_RDONLY, true, "memory.current"},
    // Since Linux 5.19.
    [SANDGLASS_GROUP_MEMORY_PEAK] = {SANDGLASS_CONTROLLER_MEMORY, O_RDONLY, false, "memory.peak"},
    [SANDGLASS_GROUP_MEMORY_EVENTS] = {SANDGLASS_CONTROLLER_MEMORY, O_RDONLY, true, "memory.events"},
    [SANDGLASS_GROUP_CPU_USAGE] = {SANDGLASS_CONTROLLER_CPU, O_RDONLY, true, "cpu.stat"},
};

bool sandglass_group_has(const struct sandglass_group *group, enum sandglass_group_file file) {
    return (group->files & (UINT32_C(1) << file)) != 0;
}

// MARK: Names

static char *append_slot(char *at, uint32_t slot) {
    return sandglass_append_number(sandglass_append_text(at, "slot-"), slot);
}

static int open_in(int folder, uint32_t slot, const char *name, int mode) {
    char path[64];
    sandglass_append_text(sandglass_append_text(append_slot(path, slot), "/"), name);
    return openat(folder, path, mode | O_CLOEXEC | O_NOFOLLOW);
}

static int write_in(int folder, uint32_t slot, const char *name, const char *text) {
    int file = open_in(folder, slot, name, O_WRONLY);
    if (file < 0) return -1;
    ssize_t written = write(file, text, strlen(text));
    int error = errno;
    close(file);
    errno = error;
    return written < 0 ? -1 : 0;
}

// Controllers that are mounted together share a folder.
static bool is_first_of_its_folder(const struct sandglass_cgroups *cgroups, uint32_t controller) {
    if (cgroups->folders[controller] < 0) return false;
    for (uint32_t other = 0; other < controller; other++)
        if (cgroups->folders[other] == cgroups->folders[controller]) return false;
    return true;
}

// MARK: Making and removing

// Async-signal-safe, as all that follows.
int sandglass_group_keep_folders(struct sandglass_cgroups *cgroups) {
    // First out of the way of the fixed numbers, then to them.
    int next = SANDGLASS_GROUP_END;
    int moved[SANDGLASS_CONTROLLERS];
    for (uint32_t i = 0; i < SANDGLASS_CONTROLLERS; i++) {
        moved[i] = -1;
        for (uint32_t other = 0; other < i && cgroups->folders[i] >= 0; other++)
            if (cgroups->folders[other] == cgroups->folders[i]) moved[i] = moved[other];
        if (cgroups->folders[i] < 0 || moved[i] >= 0) continue;
        moved[i] = fcntl(cgroups->folders[i], F_DUPFD_CLOEXEC, SANDGLASS_GROUP_END + SANDGLASS_CONTROLLERS);
        if (moved[i] < 0) return -1;
    }
    for (uint32_t i = 0; i < SANDGLASS_CONTROLLERS; i++) {
        cgroups->folders[i] = -1;
        for (uint32_t other = 0; other < i && moved[i] >= 0; other++)
            if (moved[other] == moved[i]) cgroups->folders[i] = cgroups->folders[other];
        if (moved[i] < 0 || cgroups->folders[i] >= 0) continue;
        if (dup3(moved[i], next, O_CLOEXEC) < 0) return -1;
        cgroups->folders[i] = next++;
    }
    // Their numbers are taken from the start, so that nothing else ever gets one.
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) return -1;
    for (int file = SANDGLASS_GROUP_FIRST_FILE; file < SANDGLASS_GROUP_END; file++)
        if (file != null && dup3(null, file, O_CLOEXEC) < 0) return -1;
    return next;
}

int sandglass_group_make(const struct sandglass_cgroups *cgroups, uint32_t slot) {
    char name[32];
    append_slot(name, slot);
    for (uint32_t i = 0; i < SANDGLASS_CONTROLLERS; i++) {
        if (!is_first_of_its_folder(cgroups, i)) continue;
        // One of version 2 is made for each slot, and its counters begin with it.
        if (cgroups->version == 2) unlinkat(cgroups->folders[i], name, AT_REMOVEDIR);
        if (mkdirat(cgroups->folders[i], name, 0755) < 0 && errno != EEXIST) return -1;
    }
    if (cgroups->version == 2) {
        int memory = cgroups->folders[SANDGLASS_CONTROLLER_MEMORY];
        // Not there without swap (CONFIG_SWAP).
        if (memory >= 0 && write_in(memory, slot, "memory.swap.max", "0") < 0 && errno != ENOENT) return -1;
        if (memory >= 0 && write_in(memory, slot, "memory.oom.group", "1") < 0) return -1;
    } else if (cgroups->folders[SANDGLASS_CONTROLLER_MEMORY] >= 0) {
        write_in(cgroups->folders[SANDGLASS_CONTROLLER_MEMORY], slot, "memory.swappiness", "0");
    }
    return 0;
}

int sandglass_group_remove(const struct sandglass_cgroups *cgroups, uint32_t slot) {
    char name[32];
    append_slot(name, slot);
    int result = 0;
    for (uint32_t i = 0; i < SANDGLASS_CONTROLLERS; i++) {
        if (!is_first_of_its_folder(cgroups, i)) continue;
        if (unlinkat(cgroups->folders[i], name, AT_REMOVEDIR) < 0 && errno != ENOENT) result = -1;
    }
    return result;
}

// v2, where the server had to make room for groups by moving into one: moves it and the launcher out again.
static void leave_service(int folder, int parent) {
    static const char passed[][8] = {"-memory", "-pids"}; // not pointers: memory.h
    int groups[] = {folder, parent};
    for (size_t i = 0; i < 2; i++)
        for (size_t controller = 0; controller < 2; controller++)
            sandglass_write_file(groups[i], "cgroup.subtree_control", passed[controller]);
    // 0 is the writer itself; the server may have ended already.
    char server[24];
    sandglass_append_number(server, (uint64_t)getppid());
    sandglass_write_file(parent, "cgroup.procs", server);
    sandglass_write_file(parent, "cgroup.procs", "0");
    unlinkat(folder, "service", AT_REMOVEDIR);
}

void sandglass_group_remove_folders(const struct sandglass_cgroups *cgroups) {
    for (uint32_t i = 0; i < SANDGLASS_CONTROLLERS; i++) {
        if (!is_first_of_its_folder(cgroups, i)) continue;
        // By its own name in its parent: the host's paths are out of reach.
        int parent = openat(cgroups->folders[i], "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (parent < 0) continue;
        if (cgroups->version == 2 && faccessat(cgroups->folders[i], "service", F_OK, 0) == 0)
            leave_service(cgroups->folders[i], parent);
        unlinkat(parent, cgroups->name, AT_REMOVEDIR);
        close(parent);
    }
}

int sandglass_group_folder(const struct sandglass_cgroups *cgroups, uint32_t slot) {
    char name[32];
    append_slot(name, slot);
    return openat(cgroups->folders[SANDGLASS_CONTROLLER_MEMORY], name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

void sandglass_group_kill(const struct sandglass_cgroups *cgroups, uint32_t slot) {
    // Since Linux 5.14. The end of the slot's namespace is enough; this is the second net.
    write_in(cgroups->folders[SANDGLASS_CONTROLLER_MEMORY], slot, "cgroup.kill", "1");
}

int sandglass_group_attach(const struct sandglass_cgroups *cgroups, uint32_t slot) {
    for (uint32_t i = 0; i < SANDGLASS_CONTROLLERS; i++)
        if (is_first_of_its_folder(cgroups, i) && write_in(cgroups->folders[i], slot, "cgroup.procs", "0") < 0)
            return -1;
    return 0;
}

// MARK: Files

// The kernel tells of each OOM of the group (the kernel's cgroup-v1/memory documentation, "OOM Control").
void sandglass_group_watch_oom(const struct sandglass_cgroups *cgroups, uint32_t slot, struct sandglass_group *group) {
    if (cgroups->version != 1 || !sandglass_group_has(group, SANDGLASS_GROUP_MEMORY_EVENTS)) return;
    int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event < 0) return;
    int wanted = sandglass_group_descriptor(SANDGLASS_GROUP_OOM_EVENT);
    if (dup3(event, wanted, O_CLOEXEC) >= 0) {
        char line[48];
        char *at = sandglass_append_number(line, (uint64_t)wanted);
        at = sandglass_append_text(at, " ");
        sandglass_append_number(at, (uint64_t)sandglass_group_descriptor(SANDGLASS_GROUP_MEMORY_EVENTS));
        if (write_in(cgroups->folders[SANDGLASS_CONTROLLER_MEMORY], slot, "cgroup.event_control", line) == 0)
            group->files |= UINT32_C(1) << SANDGLASS_GROUP_OOM_EVENT;
    }
    close(event);
}

int sandglass_group_open(const struct sandglass_cgroups *cgroups, uint32_t slot, struct sandglass_group *group) {
    const struct file *files = cgroups->version == 2 ? files_v2 : files_v1;
    *group = (struct sandglass_group){.version = cgroups->version};
    for (uint32_t i = 0; i < SANDGLASS_GROUP_OOM_EVENT; i++) {
        if (!files[i].name[0] || cgroups->folders[files[i].controller] < 0) continue;
        int file = open_in(cgroups->folders[files[i].controller], slot, files[i].name, files[i].mode);
        if (file < 0 && files[i].required) return -1;
        if (file < 0) continue;
        int placed = dup3(file, sandglass_group_descriptor(i), O_CLOEXEC);
        close(file);
        if (placed < 0) return -1;
        group->files |= UINT32_C(1) << i;
    }
    group->beginning = sandglass_group_read(group);
    return 0;
}

void sandglass_group_close(void) {
    for (int file = SANDGLASS_GROUP_FIRST_FILE; file < SANDGLASS_GROUP_END; file++) dup3(0, file, O_CLOEXEC);
}

static int write_text(enum sandglass_group_file file, const char *text) {
    return pwrite(sandglass_group_descriptor(file), text, strlen(text), 0) < 0 ? -1 : 0;
}

static int write_number(enum sandglass_group_file file, uint64_t number) {
    char text[24];
    sandglass_append_number(text, number);
    return write_text(file, text);
}

// Reads a whole small file. Always terminated.
static void read_text(enum sandglass_group_file file, char *text, size_t size) {
    ssize_t length = pread(sandglass_group_descriptor(file), text, size - 1, 0);
    text[length < 0 ? 0 : length] = '\0';
}

static uint64_t parse(const char *at) {
    uint64_t number = 0;
    while (*at >= '0' && *at <= '9') number = number * 10 + (uint64_t)(*at++ - '0');
    return number;
}

// The number behind a word at the start of a line.
static uint64_t field(const char *text, const char *name) {
    size_t length = strlen(name);
    for (const char *line = text; line && *line; line = strchr(line, '\n')) {
        if (*line == '\n') line++;
        if (strncmp(line, name, length) == 0 && line[length] == ' ') return parse(line + length + 1);
    }
    return 0;
}

static uint64_t read_number(const struct sandglass_group *group, enum sandglass_group_file file) {
    char text[32];
    if (!sandglass_group_has(group, file)) return 0;
    read_text(file, text, sizeof text);
    return parse(text);
}

// MARK: Limits

void sandglass_group_renew(const struct sandglass_cgroups *cgroups, uint32_t slot, struct sandglass_group *group) {
    if (read_number(group, SANDGLASS_GROUP_MEMORY_USAGE) > tolerated_leftover)
        write_in(cgroups->folders[SANDGLASS_CONTROLLER_MEMORY], slot, "memory.force_empty", "0");
    if (sandglass_group_has(group, SANDGLASS_GROUP_SWAP_LIMIT)) write_text(SANDGLASS_GROUP_SWAP_LIMIT, "-1");
    if (sandglass_group_has(group, SANDGLASS_GROUP_MEMORY_LIMIT)) write_text(SANDGLASS_GROUP_MEMORY_LIMIT, "-1");
    if (sandglass_group_has(group, SANDGLASS_GROUP_PROCESS_LIMIT)) write_text(SANDGLASS_GROUP_PROCESS_LIMIT, "max");
    group->beginning = sandglass_group_read(group);
}

int sandglass_group_limit(const struct sandglass_group *group, uint64_t memory_bytes, uint64_t processes) {
    uint64_t own = group->version == 2 ? OWN_PROCESSES_V2 : OWN_PROCESSES_V1;
    if (sandglass_group_has(group, SANDGLASS_GROUP_MEMORY_LIMIT) && write_number(SANDGLASS_GROUP_MEMORY_LIMIT, memory_bytes) < 0)
        return -1;
    // After the one on memory alone, which may not be the larger.
    if (sandglass_group_has(group, SANDGLASS_GROUP_SWAP_LIMIT)
        && write_number(SANDGLASS_GROUP_SWAP_LIMIT, memory_bytes + swap_slack) < 0)
        return -1;
    if (sandglass_group_has(group, SANDGLASS_GROUP_PROCESS_LIMIT)
        && write_number(SANDGLASS_GROUP_PROCESS_LIMIT, processes + own) < 0)
        return -1;
    return 0;
}

void sandglass_group_begin(struct sandglass_group *group) {
    group->beginning.cpu_nanoseconds = sandglass_group_cpu_nanoseconds(group);
    // What was in the group before its slot is not this run's; the slot itself, some 200 KiB, is. Something of what was
    // there before may have gone since.
    uint64_t now = read_number(group, SANDGLASS_GROUP_MEMORY_USAGE);
    if (now < group->beginning.memory_bytes) group->beginning.memory_bytes = now;
    if (group->version == 1 && sandglass_group_has(group, SANDGLASS_GROUP_MEMORY_PEAK))
        write_text(SANDGLASS_GROUP_MEMORY_PEAK, "0");
}

// MARK: Counters

uint64_t sandglass_group_cpu_nanoseconds(const struct sandglass_group *group) {
    if (group->version != 2) return read_number(group, SANDGLASS_GROUP_CPU_USAGE);
    char text[512];
    if (!sandglass_group_has(group, SANDGLASS_GROUP_CPU_USAGE)) return 0;
    read_text(SANDGLASS_GROUP_CPU_USAGE, text, sizeof text);
    return field(text, "usage_usec") * 1000;
}

static void read_oom(const struct sandglass_group *group, struct sandglass_group_reading *reading) {
    if (!sandglass_group_has(group, SANDGLASS_GROUP_MEMORY_EVENTS)) return;
    char text[512];
    read_text(SANDGLASS_GROUP_MEMORY_EVENTS, text, sizeof text);
    reading->oom_kills = field(text, "oom_kill");
    reading->limit_failures =
        group->version == 2 ? field(text, "oom") : read_number(group, SANDGLASS_GROUP_MEMORY_FAILURES);
}

uint64_t sandglass_group_oom_kills(const struct sandglass_group *group) {
    struct sandglass_group_reading now = {0};
    read_oom(group, &now);
    // The OOM killer also comes when the whole host is out of memory: that is not this run's limit.
    return now.limit_failures > group->beginning.limit_failures ? now.oom_kills - group->beginning.oom_kills : 0;
}

struct sandglass_group_reading sandglass_group_read(const struct sandglass_group *group) {
    struct sandglass_group_reading reading = {
        .cpu_nanoseconds = sandglass_group_cpu_nanoseconds(group),
        .memory_bytes = read_number(group, SANDGLASS_GROUP_MEMORY_USAGE),
        .peak_bytes = read_number(group, SANDGLASS_GROUP_MEMORY_PEAK),
    };
    read_oom(group, &reading);
    return reading;
}

void sandglass_group_account(
    const struct sandglass_group *group, const struct sandglass_group_reading *now, struct sandglass_usage *usage
) {
    const struct sandglass_group_reading *beginning = &group->beginning;
    if (sandglass_group_has(group, SANDGLASS_GROUP_CPU_USAGE)) {
        // The group has the exact sum, also of processes that nobody waited for; getrusage(2) how it divides.
        uint64_t total = (now->cpu_nanoseconds - beginning->cpu_nanoseconds) / 1000;
        uint64_t known = usage->user_microseconds + usage->system_microseconds;
        uint64_t system = known == 0 ? 0 : (uint64_t)((double)total * (double)usage->system_microseconds / (double)known);
        usage->user_microseconds = total - system;
        usage->system_microseconds = system;
    }
    if (sandglass_group_has(group, SANDGLASS_GROUP_MEMORY_PEAK)) {
        // Who came up to the limit used all of it, for what was there before has been given up by then.
        bool met_limit = now->limit_failures > beginning->limit_failures;
        uint64_t before = met_limit || now->peak_bytes < beginning->memory_bytes ? 0 : beginning->memory_bytes;
        // The kernel counts in steps of some 256 KiB: what a small run has used may be none, and then getrusage(2) knows more.
        if (now->peak_bytes > before) usage->peak_bytes = now->peak_bytes - before;
    }
}
