// The launcher: the one privileged process of Sandglass, and the slots that it makes.
//
//   server ──requests──▶ launcher ──clone3──▶ slot (pid 1 of its namespaces) ──vfork, exec──▶ command
//      └────────────────control socket, one a slot───────▶┘
//
// Everything in this library runs between clone and exec, or in a process that was forked from one with
// threads. So all of it is async-signal-safe: system calls only, no malloc, no stdio, no locks. The server
// prepares all data before (`struct sandglass_plan`, `struct sandglass_command`), and a failure comes back as
// numbers: which step, which item of the plan, which errno.
#pragma once

#include <stdint.h>
#include <sys/types.h>

// What was being done when it failed. The order is the order in which things happen.
enum sandglass_step {
    SANDGLASS_STEP_NONE = 0,
    // The launcher, once.
    SANDGLASS_STEP_LAUNCHER_PROCESS,
    SANDGLASS_STEP_LAUNCHER_USER_NAMESPACE,
    SANDGLASS_STEP_LAUNCHER_MOUNT_NAMESPACE,
    SANDGLASS_STEP_ROOT,
    SANDGLASS_STEP_ROOT_ENTRY,
    SANDGLASS_STEP_PIVOT_ROOT,
    SANDGLASS_STEP_IMAGE, // also a slot's
    // A slot.
    SANDGLASS_STEP_CONTROL_GROUP,
    SANDGLASS_STEP_NETWORK,
    SANDGLASS_STEP_CLONE,
    SANDGLASS_STEP_HOST_NAME,
    SANDGLASS_STEP_PROC,
    SANDGLASS_STEP_SCRATCH,
    SANDGLASS_STEP_IDENTITY,
    SANDGLASS_STEP_USER_NAMESPACE,
    SANDGLASS_STEP_ID_MAP,
    SANDGLASS_STEP_CAPABILITIES,
    SANDGLASS_STEP_DEATH_SIGNAL,
    SANDGLASS_STEP_LANDLOCK,
    SANDGLASS_STEP_SIGNALS,
    SANDGLASS_STEP_SYSTEM_CALL_FILTER,
    // A command.
    SANDGLASS_STEP_REQUEST,
    SANDGLASS_STEP_FILES,
    SANDGLASS_STEP_FORK,
    SANDGLASS_STEP_STANDARD_STREAMS,
    SANDGLASS_STEP_LIMITS,
    SANDGLASS_STEP_WORKING_DIRECTORY,
    SANDGLASS_STEP_EXEC,
};

struct sandglass_failure {
    uint32_t step;   // enum sandglass_step; SANDGLASS_STEP_NONE: nothing failed
    int32_t index;   // which item of the plan, or -1
    int32_t error;   // errno(3)
};

// One entry of the file system that commands see.
enum sandglass_entry_kind {
    SANDGLASS_ENTRY_DIRECTORY,     // an empty one
    SANDGLASS_ENTRY_BIND,          // a folder of the host with all below it, read-only, no set-uid, no devices
    SANDGLASS_ENTRY_BIND_FILE,     // a file of the host, the same way
    SANDGLASS_ENTRY_DEVICE_FOLDER, // a folder in which devices are, on a file system of its own
    SANDGLASS_ENTRY_DEVICE,        // a device node of the host, in such a folder
    SANDGLASS_ENTRY_FILE,          // a small file with these contents
    SANDGLASS_ENTRY_SYMBOLIC_LINK, // source is where it points
};

struct sandglass_entry {
    uint32_t kind;
    uint32_t mode;
    const char *source;   // canonical host path, or a link's text; NULL where the kind has none
    const char *target;   // absolute path inside; its parent stands earlier in the plan
    const void *contents; // of a file
    size_t length;
};

// Another file system that commands may see instead.
struct sandglass_image {
    const struct sandglass_entry *entries;
    uint32_t entry_count;
};

// What a run's /proc does not show: each costs a slot some ten microseconds.
struct sandglass_mask {
    const char *path;
    uint32_t is_folder;
};

// The folders in which the launcher makes control groups, one group for each slot number that is in use. Made and locked by
// the server, for the launcher alone.
enum sandglass_controller {
    SANDGLASS_CONTROLLER_MEMORY,
    SANDGLASS_CONTROLLER_PIDS,
    SANDGLASS_CONTROLLER_CPU, // cpuacct; in version 2 there are cpu.stat's times without a controller
    SANDGLASS_CONTROLLERS,
};
struct sandglass_cgroups {
    uint32_t version;                       // 1 or 2 (cgroups(7)); 0: there are none
    int32_t folders[SANDGLASS_CONTROLLERS]; // descriptors, the same one for controllers that share a folder; -1: missing
    const char *name;                       // of each folder in the one above it
};

// Walls that a kernel may lack.
enum sandglass_wall {
    SANDGLASS_WALL_SYSTEM_CALL_FILTER = 1, // seccomp(2)
    SANDGLASS_WALL_LANDLOCK = 2,           // landlock(7)
};

struct sandglass_filter {
    const void *instructions; // struct sock_filter, one behind the other
    uint32_t length;          // how many of them
};

// All that the launcher needs to know, once. It must stay where it is until the launcher runs: the launcher
// is forked, not exec'd, and reads it in place.
struct sandglass_plan {
    const struct sandglass_entry *entries;
    uint32_t entry_count;
    uint32_t image_count;
    const struct sandglass_image *images;
    uint32_t allows_host_network; // for a slot that asks for it
    uint32_t mask_count;
    const struct sandglass_mask *masks;
    uint32_t proc_is_writable; // 0, but where a test looks at what stands behind
    uint32_t slots;           // slot numbers are below this
    uint32_t first_host_user; // slot n runs as host uid and gid first_host_user + n; 0: as the launcher's own
    int32_t users_claim;      // a descriptor that keeps these users from others while it is open, or -1
    uint32_t user;            // the uid and gid that the command sees
    const char *host_name;
    uint64_t scratch_inodes;  // files and folders in a run's writable file system
    uint32_t processors;      // that commands may use at once
    struct sandglass_cgroups cgroups;
    int32_t supervisor_nice;  // nice value of a slot that is set up, where it may be set
    int32_t command_nice;
    uint32_t walls;           // enum sandglass_wall, added up: those to build where the kernel has them
    uint32_t required_walls;  // of these, the ones without which the launcher gives up
    // Programs for seccomp(2): the launcher's, which all that it starts has too, and what a slot adds to it.
    struct sandglass_filter filter;
    struct sandglass_filter slot_filter;
    const void *memory;       // what the pointers point to but those to entries, which are needed once
    size_t memory_length;
    char *command_line;       // this process's own arguments, which are wiped: slots would show them
    size_t command_line_length;
};

enum { SANDGLASS_MAXIMUM_SLOTS = 8192, SANDGLASS_MAXIMUM_IMAGES = 64 };

// What has to be known of a slot before it is made, because it needs privilege.
struct sandglass_slot_kind {
    uint64_t scratch_bytes;   // size of its one writable file system
    uint32_t image;           // 0: the host's view; n: the plan's image n - 1
    uint32_t shares_network;  // the launcher's, which is the host's; 0: it has one of its own, with nothing in it
};

// server → launcher, on its SOCK_SEQPACKET socket. The server closing the socket ends the launcher and
// every slot.
enum sandglass_launcher_request_kind {
    SANDGLASS_LAUNCHER_SPAWN = 1, // carries one descriptor: the slot's end of its control socket
    SANDGLASS_LAUNCHER_KILL,      // SIGKILL to the slot, and so to all that it runs
};
struct sandglass_launcher_request {
    uint32_t kind;
    uint32_t slot;
    struct sandglass_slot_kind slot_kind; // SPAWN
};

// What a run has used, of what getrusage(2) and the slot's control group count.
struct sandglass_usage {
    uint64_t user_microseconds;
    uint64_t system_microseconds;
    uint64_t peak_bytes; // memory: of the group; without one the resident set of the largest process
    uint64_t oom_kills;  // processes that the OOM killer ended because of the run's own limit
};

// launcher → server.
enum sandglass_launcher_report_kind {
    SANDGLASS_LAUNCHER_READY = 1, // once; with a failure when the launcher could not set itself up, or (`cgroups` is 0
                                  // then although the plan has folders) could not use its control groups
    SANDGLASS_LAUNCHER_GONE,      // the slot and every process in it are gone and reaped
};
struct sandglass_launcher_report {
    uint32_t kind;
    uint32_t slot;
    struct sandglass_failure failure;
    uint32_t cgroups;             // READY: the version in use, 0: none
    uint32_t walls;               // READY: enum sandglass_wall, those that every slot will have
    struct sandglass_usage usage; // GONE, of a slot that was killed and so could not tell itself
};

// server → slot, on the slot's own SOCK_SEQPACKET socket. The server closing it ends the slot.
enum sandglass_slot_request_kind {
    SANDGLASS_SLOT_START = 1, // carries stdin, stdout, stderr; and a memfd that holds the command, where the packet does not
    SANDGLASS_SLOT_TERMINATE, // SIGTERM to everything in the slot
    SANDGLASS_SLOT_KILL,      // SIGKILL to everything in the slot
    SANDGLASS_SLOT_BLOBS,     // carries up to SANDGLASS_BLOBS_AT_ONCE descriptors of what files are made of, after START
    SANDGLASS_SLOT_OPEN,      // after ENDED, where the command had `keeps_files`: a struct sandglass_open_request
};
enum { SANDGLASS_BLOBS_AT_ONCE = 64 };
struct sandglass_slot_request {
    uint32_t kind;
};
// The packet ends where the command does; a memfd holds one that is longer or has files.
enum { SANDGLASS_START_BYTES = 4096 };
struct sandglass_start_request {
    uint32_t kind;
    uint32_t length; // of the command; 0: there is a memfd
    _Alignas(8) char command[SANDGLASS_START_BYTES];
};

// Opens something of what the run has left, for reading. It comes with the descriptor of the folder that it is in, or with none:
// then it is /box itself. Nothing is followed: the name has no slash, and a symbolic link is refused.
struct sandglass_open_request {
    uint32_t kind;
    char name[256]; // NAME_MAX and its end
};
// The answer, which carries the descriptor unless there is an error.
struct sandglass_open_reply {
    int32_t error; // errno(3), or 0
};

// A command starts with this. Behind it stand the files' records, then NUL-terminated strings: the working directory, PATH's
// value, the arguments, the environment, the files' paths below /box; then the contents of files that are no blobs.
struct sandglass_command {
    uint32_t argument_count; // at least 1
    uint32_t environment_count;
    uint64_t open_files;       // RLIMIT_NOFILE
    uint64_t processes;        // at once, threads included
    uint64_t memory_bytes;     // of the run together
    uint64_t cpu_nanoseconds;  // of the run together
    uint64_t file_bytes;       // RLIMIT_FSIZE
    uint32_t file_count;       // to be made before it starts
    uint32_t blob_count;       // descriptors that follow for them
    uint32_t keeps_files;      // when it has ended, the slot opens what is in /box until the server closes its socket
    uint64_t text_bytes;       // where the contents begin
};

// A file to be made: parent folders come with it, and nothing is at its path yet.
struct sandglass_file {
    uint64_t offset; // in the command, or in the blob
    uint64_t length;
    int32_t blob;    // which of the descriptors that follow, or -1: the command's memfd
    uint32_t mode;   // its permissions
};

// slot → server.
enum sandglass_slot_report_kind {
    SANDGLASS_SLOT_STARTED = 1, // started_nanoseconds is set
    SANDGLASS_SLOT_FAILED,      // the command never started: failure is set
    SANDGLASS_SLOT_ENDED,       // the command has ended and everything that it left behind is gone
};
// What the slot had done to the command before the command's end was recorded.
enum sandglass_slot_act {
    SANDGLASS_ACT_TERMINATED = 1,
    SANDGLASS_ACT_KILLED = 2,
    SANDGLASS_ACT_CPU_LIMIT = 4, // SIGKILL, from the slot or from RLIMIT_CPU: it had used up its processor time
};
struct sandglass_slot_report {
    uint32_t kind;
    struct sandglass_failure failure;
    int32_t wait_status; // wait(2)
    uint32_t acts;       // enum sandglass_slot_act, added up
    uint64_t started_nanoseconds; // CLOCK_MONOTONIC, when execve was called
    uint64_t ended_nanoseconds;   // CLOCK_MONOTONIC, when the end was read
    struct sandglass_usage usage; // oom_kills: before any act
};

// Forks the launcher. Returns its pid and stores the server's end of its socket (non-blocking, close-on-exec),
// or returns -1 with errno set. The launcher's first report says whether it is ready.
pid_t sandglass_launcher_start(const struct sandglass_plan *plan, int *socket_out);
