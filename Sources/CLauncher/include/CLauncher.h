// The launcher is the one privileged process of Sandglass. This library holds the launcher and the slots that the
// launcher makes.
//
//   server ──requests──▶ launcher ──clone3──▶ slot (pid 1 of its namespaces) ──vfork, exec──▶ command
//      └────────────control socket, one per slot───────────▶┘
//
// All code in this library runs between clone and exec, or in a process that was forked from a threaded process.
// Therefore all of it is async-signal-safe: system calls only, no malloc, no stdio, no locks. The server prepares all
// data beforehand (`struct sandglass_plan`, `struct sandglass_command`). A failure is reported as three numbers: the
// step, the index of the plan item, and errno.
#pragma once

#include <stdint.h>
#include <sys/types.h>

// The step that failed. The values are in the order in which the steps run.
enum sandglass_step {
    SANDGLASS_STEP_NONE = 0,
    // Steps of the launcher, which run once.
    SANDGLASS_STEP_LAUNCHER_PROCESS,
    SANDGLASS_STEP_LAUNCHER_USER_NAMESPACE,
    SANDGLASS_STEP_LAUNCHER_MOUNT_NAMESPACE,
    SANDGLASS_STEP_ROOT,
    SANDGLASS_STEP_ROOT_ENTRY,
    SANDGLASS_STEP_PIVOT_ROOT,
    SANDGLASS_STEP_IMAGE, // also a step of a slot
    // Steps of a slot.
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
    // Steps of a command.
    SANDGLASS_STEP_REQUEST,
    SANDGLASS_STEP_FILES,
    SANDGLASS_STEP_FORK,
    SANDGLASS_STEP_STANDARD_STREAMS,
    SANDGLASS_STEP_LIMITS,
    SANDGLASS_STEP_WORKING_DIRECTORY,
    SANDGLASS_STEP_EXEC,
};

struct sandglass_failure {
    uint32_t step;  // enum sandglass_step; SANDGLASS_STEP_NONE if nothing failed
    int32_t index;  // index of the plan item, or -1
    int32_t error;  // errno(3)
    uint32_t entry; // number of an archive's entry, counted from 1, or 0
};

// One entry of the file system that commands see.
enum sandglass_entry_kind {
    SANDGLASS_ENTRY_DIRECTORY,        // an empty directory
    SANDGLASS_ENTRY_BIND,             // a host directory with its contents: read-only, nosuid, nodev
    SANDGLASS_ENTRY_BIND_FILE,        // a host file, with the same restrictions
    SANDGLASS_ENTRY_DEVICE_DIRECTORY, // a directory for device nodes, on a file system of its own
    SANDGLASS_ENTRY_DEVICE,           // a device node of the host, inside a device directory
    SANDGLASS_ENTRY_FILE,             // a small file with the given contents
    SANDGLASS_ENTRY_SYMBOLIC_LINK,    // a link to `source`
};

struct sandglass_entry {
    uint32_t kind;
    uint32_t mode;
    const char *source;   // canonical host path, or a link's target; NULL if the kind needs none
    const char *target;   // absolute path inside the sandbox; its parent comes earlier in the plan
    const void *contents; // contents of a SANDGLASS_ENTRY_FILE
    size_t length;
};

// An alternative root file system for commands.
struct sandglass_image {
    const struct sandglass_entry *entries;
    uint32_t entry_count;
};

// A path that a run's /proc hides. Each mask costs a slot about 10 microseconds.
struct sandglass_mask {
    const char *path;
    uint32_t is_directory;
};

// The directories in which the launcher makes control groups, one group per slot number in use. The server creates
// and locks these directories for the launcher alone.
enum sandglass_controller {
    SANDGLASS_CONTROLLER_MEMORY,
    SANDGLASS_CONTROLLER_PIDS,
    SANDGLASS_CONTROLLER_CPU, // cpuacct; version 2 has the times in cpu.stat without a controller
    SANDGLASS_CONTROLLER_QUOTA, // cpu; only slots with a quota have a group in its hierarchy, if that is a separate one
    SANDGLASS_CONTROLLER_CPUSET, // v1; limits nothing, but runtimes look for it
    SANDGLASS_CONTROLLERS,
};

// A hierarchy in which commands see their own group, read-only.
struct sandglass_cgroup_view {
    uint32_t controller;  // the first one of the hierarchy
    const char *options;  // v1: the mount option that names the controllers; NULL: version 2
    const char *target;   // path inside the sandbox
};

struct sandglass_cgroup_tree {
    uint32_t version; // 1 or 2 (cgroups(7)); 0: no control groups
    // descriptors; controllers may share a directory and its descriptor; -1: missing
    int32_t directories[SANDGLASS_CONTROLLERS];
    const char *name; // name of each directory in its parent
    const struct sandglass_cgroup_view *views;
    uint32_t view_count;
    uint32_t hidden; // bit set of controllers whose hierarchy must not be shown; set by the launcher
};

// Protections that a kernel may lack.
enum sandglass_protection {
    SANDGLASS_PROTECTION_SYSTEM_CALL_FILTER = 1, // seccomp(2)
    SANDGLASS_PROTECTION_LANDLOCK = 2,           // landlock(7)
};

struct sandglass_filter {
    const void *instructions; // array of struct sock_filter
    uint32_t length;          // number of instructions
};

// The launcher's configuration, read once. The plan must stay in memory until the launcher runs, because the launcher
// is forked without exec and reads the plan in place.
struct sandglass_plan {
    const struct sandglass_entry *entries;
    uint32_t entry_count;
    uint32_t image_count;
    const struct sandglass_image *images;
    uint32_t allows_host_network; // for slots that request it
    uint32_t mask_count;
    const struct sandglass_mask *masks;
    uint32_t proc_is_writable; // 1 only for probes of the protections behind the mount
    uint32_t slots;            // number of slots; slot numbers are below this
    uint32_t first_host_user;  // slot n has the host uid and gid first_host_user + n; 0: slots have the launcher's
    int32_t users_claim;       // a descriptor that reserves these users while it is open, or -1
    uint32_t user;             // the uid and gid that the command sees
    uint32_t view_owner;       // the host uid of the server, which keeps the files of the host's view up to date
    const char *host_name;
    uint64_t scratch_inodes; // maximum number of files and directories in a run's writable file system
    uint32_t processors;     // number of processors that commands may use at once
    struct sandglass_cgroup_tree cgroups;
    int32_t supervisor_nice; // nice value of a slot after set-up, if the launcher may change it
    int32_t command_nice;
    // bit set of enum sandglass_protection: protections to use where the kernel has them
    uint32_t protections;
    uint32_t required_protections; // subset of these without which the launcher refuses to start
    struct sandglass_filter filter; // the program for seccomp(2), which all descendants of the launcher inherit
    uint64_t set_up_key;            // the sixth argument with which the filter allows calls of the set-up
    const void *memory; // memory that the pointers refer to, except the entries, which are needed only once
    size_t memory_length;
    char *command_line; // this process's own arguments, wiped because every slot would show them
    size_t command_line_length;
};

enum { SANDGLASS_MAXIMUM_SLOTS = 8192, SANDGLASS_MAXIMUM_IMAGES = 64 };

// Properties of a slot that must be known before it is made, because they need privilege.
struct sandglass_slot_kind {
    uint64_t scratch_bytes;  // size of the slot's one writable file system
    uint32_t image;          // 0: the host's view; n: the plan's image n - 1
    // processor time in each 100 ms; 0: no limit. Without the controller the limit has no effect.
    uint64_t cpu_quota_microseconds;
    uint32_t shares_network; // 1: the launcher's network, which is the host's; 0: an empty network of its own
};

// Messages from server to launcher, on the launcher's SOCK_SEQPACKET socket. When the server closes the socket, the
// launcher and every slot end.
enum sandglass_launcher_request_kind {
    SANDGLASS_LAUNCHER_SPAWN = 1, // carries one descriptor: the slot's end of its control socket
    SANDGLASS_LAUNCHER_KILL,      // sends SIGKILL to the slot, which kills all its processes
};
struct sandglass_launcher_request {
    uint32_t kind;
    uint32_t slot;
    struct sandglass_slot_kind slot_kind; // for SPAWN
};

// The resource usage of a run, from getrusage(2) and the slot's control group.
struct sandglass_usage {
    uint64_t user_microseconds;
    uint64_t system_microseconds;
    uint64_t peak_bytes; // peak memory of the group; without a group, the resident set of the largest process
    uint64_t resident_bytes; // the largest resident set of one process
    // v2: the memory that was left in the group at the end (cgroup-v2.rst, "memory.stat")
    uint64_t cache_bytes;  // page cache of files on disks
    uint64_t shared_bytes; // files in memory, and shared memory
    uint64_t kernel_bytes; // the kernel's own data for the group
    uint32_t has_memory_at_end;
    uint64_t oom_kills;  // processes that the OOM killer ended because of the run's own limit
};

// Messages from launcher to server.
enum sandglass_launcher_report_kind {
    // Sent once, with a descriptor of the root of the host's view, through which the server may write to the directories
    // that it owns (`view_owner`). Carries a failure if the launcher could not set itself up or could not use its control groups. In the
    // second case `cgroups` is 0 although the plan has directories.
    SANDGLASS_LAUNCHER_READY = 1,
    SANDGLASS_LAUNCHER_GONE, // the slot and all its processes have exited and are reaped
};
struct sandglass_launcher_report {
    uint32_t kind;
    uint32_t slot;
    struct sandglass_failure failure;
    uint32_t cgroups;             // READY: the version in use; 0: none
    uint32_t protections;         // READY: bit set of enum sandglass_protection, valid for every slot
    struct sandglass_usage usage; // GONE: usage of a slot that was killed before it could report
};

// Messages from server to slot, on the slot's own SOCK_SEQPACKET socket. When the server closes the socket, the slot
// ends.
enum sandglass_slot_request_kind {
    // carries stdin, stdout, stderr, and a memfd with the command if the packet does not hold it
    SANDGLASS_SLOT_START = 1,
    SANDGLASS_SLOT_TERMINATE, // sends SIGTERM to every process in the slot
    SANDGLASS_SLOT_KILL,      // sends SIGKILL to every process in the slot
    SANDGLASS_SLOT_BLOBS,     // after START: carries up to SANDGLASS_BLOBS_AT_ONCE descriptors of input blobs
    SANDGLASS_SLOT_OPEN,      // after ENDED, if the command set `keeps_files`: a struct sandglass_open_request
    SANDGLASS_SLOT_OPEN_LINK, // the same for a symbolic link itself, which can then be read (readlinkat(2))
};
enum { SANDGLASS_BLOBS_AT_ONCE = 64 };
struct sandglass_slot_request {
    uint32_t kind;
};
// The packet ends with the command. A memfd holds a command that is longer or that has files.
enum { SANDGLASS_START_BYTES = 4096 };
struct sandglass_start_request {
    uint32_t kind;
    uint32_t length; // length of the command; 0: the command is in the memfd
    _Alignas(8) char command[SANDGLASS_START_BYTES];
};

// Opens one of the run's output files or directories for reading. The request carries the descriptor of the parent
// directory. Without a descriptor it opens /box itself. The name must contain no slash, and symbolic links are
// refused.
struct sandglass_open_request {
    uint32_t kind;
    char name[256]; // NAME_MAX and the terminator
};
// The reply, which carries the descriptor unless `error` is set.
struct sandglass_open_reply {
    int32_t error; // errno(3), or 0
};

// The header of a command. The file records follow it. NUL-terminated strings come next: the working directory, the
// value of PATH, the arguments, the environment, and the files' paths below /box. The contents of files that are not
// blobs come last.
struct sandglass_command {
    uint32_t argument_count; // at least 1
    uint32_t environment_count;
    uint64_t open_files;      // RLIMIT_NOFILE
    uint64_t processes;       // maximum at once, including threads
    uint64_t memory_bytes;    // of the run as a whole
    uint64_t cpu_nanoseconds; // of the run as a whole
    uint64_t stack_bytes;     // RLIMIT_STACK
    uint32_t file_count;      // files to create before the command starts
    uint32_t blob_count;      // descriptors that follow for these files
    // after the command's end, the slot opens files in /box until the server closes the socket
    uint32_t keeps_files;
    uint64_t text_bytes; // offset of the file contents
};

// The maximum number of entries of one archive among the input files.
enum { SANDGLASS_MAXIMUM_ARCHIVE_ENTRIES = 100000 };

enum sandglass_file_kind {
    SANDGLASS_FILE_REGULAR,
    SANDGLASS_FILE_DIRECTORY,
    SANDGLASS_FILE_SYMBOLIC_LINK, // the content is the target
    SANDGLASS_FILE_ARCHIVE,       // the content is a tar archive, unpacked at the path; "." stands for /box
};

// A file, directory or link to create. Missing parent directories are created too. Only directories may exist already.
struct sandglass_file {
    uint64_t offset; // in the command, or in the blob
    uint64_t length;
    int32_t blob;  // index among the descriptors that follow, or -1 for the command's memfd
    uint32_t kind; // enum sandglass_file_kind
    uint32_t mode; // permission bits of a regular file
};

// Messages from slot to server.
enum sandglass_slot_report_kind {
    SANDGLASS_SLOT_STARTED = 1, // started_nanoseconds is set
    SANDGLASS_SLOT_FAILED,      // the command never started; failure is set
    SANDGLASS_SLOT_ENDED,       // the command has ended and all its remaining processes are gone
};
// The signals that the slot sent to the command before the command's end was recorded.
enum sandglass_signal_sent {
    SANDGLASS_SENT_TERMINATE = 1,
    SANDGLASS_SENT_KILL = 2,
    SANDGLASS_SENT_CPU_LIMIT_KILL = 4, // SIGKILL from the slot or from RLIMIT_CPU: the CPU time limit was reached
};
struct sandglass_slot_report {
    uint32_t kind;
    struct sandglass_failure failure;
    int32_t wait_status;          // wait(2)
    uint32_t signals_sent;        // bit set of enum sandglass_signal_sent
    uint64_t started_nanoseconds; // CLOCK_MONOTONIC at the call of execve
    uint64_t ended_nanoseconds;   // CLOCK_MONOTONIC when the exit was read
    struct sandglass_usage usage; // oom_kills: counted before the slot sent any signal
};

// Forks the launcher. Returns its pid and stores the server's end of its socket (non-blocking, close-on-exec).
// Returns -1 with errno set on failure. The launcher's first report tells whether it is ready.
pid_t sandglass_launcher_start(const struct sandglass_plan *plan, int *socket_out);
