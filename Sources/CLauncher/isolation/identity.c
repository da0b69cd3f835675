#include "identity.h"

#include "../set_up_calls.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>

static int set_capabilities(uint64_t effective, uint64_t permitted) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {
        {.effective = (uint32_t)effective, .permitted = (uint32_t)permitted},
        {.effective = (uint32_t)(effective >> 32), .permitted = (uint32_t)(permitted >> 32)},
    };
    return (int)syscall(SYS_capset, &header, data);
}

static int write_map(int proc, const char *path, uint32_t inside, uint32_t outside) {
    char line[64];
    char *at = sandglass_append_number(line, inside);
    at = sandglass_append_text(at, " ");
    at = sandglass_append_number(at, outside);
    sandglass_append_text(at, " 1\n");
    return sandglass_write_file(proc, path, line);
}

// Maps the process's own ids. This needs no privilege for one line per map, once setgroups(2) is denied
// (user_namespaces(7)).
static int map_own_ids(int proc, uint32_t inside, uint32_t outside_user, uint32_t outside_group) {
    if (sandglass_write_file(proc, "self/setgroups", "deny") < 0) return -1;
    if (write_map(proc, "self/uid_map", inside, outside_user) < 0) return -1;
    return write_map(proc, "self/gid_map", inside, outside_group);
}

// Async-signal-safe.
struct sandglass_failure sandglass_identity_become_namespace_root(void) {
    uint32_t user = (uint32_t)syscall(SYS_geteuid);
    uint32_t group = (uint32_t)syscall(SYS_getegid);
    int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct sandglass_failure failure = sandglass_no_failure();
    if (proc < 0 || syscall(SYS_unshare, CLONE_NEWUSER) < 0 || map_own_ids(proc, 0, user, group) < 0)
        failure = sandglass_failed(SANDGLASS_STEP_LAUNCHER_USER_NAMESPACE, -1);
    if (proc >= 0) close(proc);
    return failure;
}

static int get_permitted(uint64_t *permitted) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) < 0) return -1;
    *permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted;
    return 0;
}

static int drop_bounding_set(uint64_t kept) {
    for (unsigned long capability = 0; capability < 64; capability++) {
        if (kept & (UINT64_C(1) << capability)) continue;
        // EINVAL means that the capability is past the last one that this kernel knows.
        if (prctl(PR_CAPBSET_DROP, capability) < 0) return errno == EINVAL ? 0 : -1;
    }
    return 0;
}

// Async-signal-safe.
struct sandglass_failure sandglass_identity_limit_capabilities(const struct sandglass_plan *plan) {
    static const uint8_t needed[] = {
        CAP_SYS_ADMIN,                       // namespaces and mounts
        CAP_SETUID, CAP_SETGID, CAP_SETPCAP, // a slot's user and its bounding set
        CAP_CHOWN,                           // the directories that a run writes to
        // the first directory of a cgroup hierarchy, which has no write permission
        CAP_DAC_OVERRIDE,
        CAP_KILL,      // signals to slots, which are other users
        CAP_SYS_NICE,  // the slots' nice value
        CAP_NET_ADMIN, // opening a network namespace
    };
    uint64_t kept = 0;
    // Slots then map this user itself, which is 0 in this namespace (user_namespaces(7)).
    if (plan->first_host_user == 0) kept |= UINT64_C(1) << CAP_SETFCAP;
    // Entering a mount namespace requires the capability for chroot(2).
    if (plan->image_count > 0) kept |= UINT64_C(1) << CAP_SYS_CHROOT;
    for (size_t i = 0; i < sizeof needed; i++) kept |= UINT64_C(1) << needed[i];
    // A container may lack some of these. The step that needs a missing one then fails.
    uint64_t permitted;
    if (get_permitted(&permitted) < 0 || drop_bounding_set(kept &= permitted) < 0 || set_capabilities(kept, kept) < 0)
        return sandglass_failed(SANDGLASS_STEP_LAUNCHER_PROCESS, 4);
    return sandglass_no_failure();
}

// Async-signal-safe.
uint32_t sandglass_identity_host_user(const struct sandglass_plan *plan, uint32_t slot) {
    return plan->first_host_user == 0 ? 0 : plan->first_host_user + slot;
}

// Async-signal-safe. The launcher of an ordinary user has only one id and keeps it.
struct sandglass_failure sandglass_identity_change_user(const struct sandglass_plan *plan, uint32_t slot) {
    if (plan->first_host_user == 0) return sandglass_no_failure();
    uint32_t id = sandglass_identity_host_user(plan, slot);
    // CAP_SYS_ADMIN must survive the change of user, because a host may forbid unshare(CLONE_NEWUSER) without it.
    if (prctl(PR_SET_KEEPCAPS, 1) < 0 || syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, id, id, id) < 0
        || syscall(SYS_setresuid, id, id, id) < 0)
        return sandglass_failed(SANDGLASS_STEP_IDENTITY, -1);
    uint64_t needed = UINT64_C(1) << CAP_SYS_ADMIN;
    if (set_capabilities(needed, needed) < 0) return sandglass_failed(SANDGLASS_STEP_IDENTITY, -1);
    return sandglass_no_failure();
}

// Async-signal-safe.
struct sandglass_failure sandglass_identity_make_user_namespace(
    const struct sandglass_plan *plan, uint32_t slot, int writable_proc
) {
    uint32_t outside = sandglass_identity_host_user(plan, slot);
    if (sandglass_unshare(plan, CLONE_NEWUSER) < 0) return sandglass_failed(SANDGLASS_STEP_USER_NAMESPACE, -1);
    // A change of user makes a process non-dumpable, and a non-dumpable process does not own its /proc files. No
    // other process is in this pid namespace yet.
    if (prctl(PR_SET_DUMPABLE, 1) < 0 || map_own_ids(writable_proc, plan->user, outside, outside) < 0)
        return sandglass_failed(SANDGLASS_STEP_ID_MAP, 0);
    // Without this limit a command could make a user namespace of its own and hold all capabilities in it. That would
    // open much of the kernel to the command.
    if (sandglass_write_file(writable_proc, "sys/user/max_user_namespaces", "0") < 0)
        return sandglass_failed(SANDGLASS_STEP_ID_MAP, 1);
    return sandglass_no_failure();
}

// Async-signal-safe. Must come after the entry into the user namespace, which refills every capability set, the
// bounding set included.
struct sandglass_failure sandglass_identity_drop_capabilities(void) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
        return sandglass_failed(SANDGLASS_STEP_CAPABILITIES, 0);
    if (drop_bounding_set(0) < 0) return sandglass_failed(SANDGLASS_STEP_CAPABILITIES, 1);
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        return sandglass_failed(SANDGLASS_STEP_CAPABILITIES, 2);
    if (set_capabilities(0, 0) < 0) return sandglass_failed(SANDGLASS_STEP_CAPABILITIES, 3);
    return sandglass_no_failure();
}
