#include "landlock.h"

#include "root.h"

#include <fcntl.h>

// These definitions are from the kernel's Documentation/userspace-api/landlock.rst and <linux/landlock.h>. The header
// of Debian 12 has only the second ABI.
enum { RULE_PATH_BENEATH = 1, CREATE_RULESET_VERSION = 1 };
enum { SCOPE_ABSTRACT_UNIX_SOCKET = 1 << 0, SCOPE_SIGNAL = 1 << 1 };

// The first ABI cannot allow a rename from one directory to another (LANDLOCK_ACCESS_FS_REFER). Git and package
// managers fail under it.
enum { OLDEST_ABI = 2, ABI_OF_TRUNCATE = 3, ABI_OF_IOCTL_DEV = 5, ABI_OF_SCOPES = 6 };

static const uint64_t write_file = 1 << 1, remove_directory = 1 << 4, remove_file = 1 << 5, make_character = 1 << 6,
                      make_directory = 1 << 7, make_regular = 1 << 8, make_socket = 1 << 9, make_fifo = 1 << 10,
                      make_block = 1 << 11, make_symbolic = 1 << 12, refer = 1 << 13, truncate_file = 1 << 14,
                      ioctl_device = 1 << 15;

// A kernel that knows a shorter structure accepts this one if the additional bytes are zero.
struct ruleset_attributes {
    uint64_t handled_files;
    uint64_t handled_network;
    uint64_t scoped;
};

struct path_beneath {
    uint64_t allowed;
    int32_t parent;
} __attribute__((packed));

static int find_abi(void) { return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION); }

static uint64_t handled_files(int abi) {
    // Reading and executing stay unrestricted, because files that must not be read are not in the sandbox at all.
    uint64_t handled = write_file | remove_directory | remove_file | make_character | make_directory | make_regular
        | make_socket | make_fifo | make_block | make_symbolic | refer;
    if (abi >= ABI_OF_TRUNCATE) handled |= truncate_file;
    if (abi >= ABI_OF_IOCTL_DEV) handled |= ioctl_device;
    return handled;
}

static int allow(int ruleset, const char *path, uint64_t rights) {
    struct path_beneath rule = {.allowed = rights, .parent = open(path, O_PATH | O_CLOEXEC)};
    if (rule.parent < 0) return -1;
    int result = (int)syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0);
    int error = errno;
    close(rule.parent);
    errno = error;
    return result;
}

static struct sandglass_failure add_rules(int ruleset, uint64_t handled) {
    // No command may make device nodes.
    uint64_t beneath = handled & ~(make_character | make_block | ioctl_device);
    for (uint32_t i = 0; i < SANDGLASS_WRITABLE_COUNT; i++)
        if (allow(ruleset, sandglass_root_writable_path(i), beneath) < 0)
            return sandglass_failed(SANDGLASS_STEP_LANDLOCK, (int32_t)i);
    // Includes ioctl(2): these devices have no ioctl with an effect, and isatty(3) must get the result that it
    // expects.
    uint64_t device = handled & (write_file | truncate_file | ioctl_device);
    if (allow(ruleset, "/dev", device) < 0) return sandglass_failed(SANDGLASS_STEP_LANDLOCK, SANDGLASS_WRITABLE_COUNT);
    return sandglass_no_failure();
}

// Async-signal-safe.
bool sandglass_landlock_is_available(void) { return find_abi() >= OLDEST_ABI; }

// Async-signal-safe.
struct sandglass_failure sandglass_landlock_restrict(void) {
    int abi = find_abi();
    struct ruleset_attributes attributes = {
        .handled_files = handled_files(abi),
        .scoped = abi >= ABI_OF_SCOPES ? SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL : 0,
    };
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
    if (ruleset < 0) return sandglass_failed(SANDGLASS_STEP_LANDLOCK, -1);
    struct sandglass_failure failure = add_rules(ruleset, attributes.handled_files);
    if (!failure.step && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        failure = sandglass_failed(SANDGLASS_STEP_LANDLOCK, -1);
    close(ruleset);
    return failure;
}
