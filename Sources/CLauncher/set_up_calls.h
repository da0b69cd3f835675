// The system calls that only the launcher, its zygotes and slots in set-up may make.
//
// The filter allows them with a key in the sixth argument, which none of them uses. The key is a random number of this
// launcher, and is in no memory of a command. So one filter, which the launcher installs once, serves all processes: a
// second one in each slot would take 50 microseconds, and memory of the kernel that is short on some hosts (sysctl
// net.core.bpf_jit_limit). A command that guessed the key would have no capability for these calls.
#pragma once

#include "system.h"

#include <sys/mount.h>

static inline long sandglass_set_up_call(
    const struct sandglass_plan *plan, long number, long first, long second, long third, long fourth, long fifth
) {
    return syscall(number, first, second, third, fourth, fifth, (long)plan->set_up_key);
}

// mount(2)
static inline int sandglass_mount(
    const struct sandglass_plan *plan, const char *source, const char *target, const char *type, unsigned long flags,
    const char *options
) {
    return (int)sandglass_set_up_call(
        plan, SYS_mount, (long)source, (long)target, (long)type, (long)flags, (long)options
    );
}

// umount2(2)
static inline int sandglass_unmount(const struct sandglass_plan *plan, const char *target, int flags) {
    return (int)sandglass_set_up_call(plan, SYS_umount2, (long)target, flags, 0, 0, 0);
}

// mount_setattr(2)
static inline int sandglass_restrict_mount(
    const struct sandglass_plan *plan, int directory, const char *path, unsigned flags, uint64_t attributes
) {
    struct mount_attr wanted = {.attr_set = attributes};
    return (int)sandglass_set_up_call(
        plan, SYS_mount_setattr, directory, (long)path, (long)flags, (long)&wanted, (long)sizeof wanted
    );
}

// unshare(2)
static inline int sandglass_unshare(const struct sandglass_plan *plan, uint64_t flags) {
    return (int)sandglass_set_up_call(plan, SYS_unshare, (long)flags, 0, 0, 0, 0);
}

// setns(2)
static inline int sandglass_enter_namespace(const struct sandglass_plan *plan, int file, int type) {
    return (int)sandglass_set_up_call(plan, SYS_setns, file, type, 0, 0, 0);
}

// sethostname(2)
static inline int sandglass_set_host_name(const struct sandglass_plan *plan, const char *name, size_t length) {
    return (int)sandglass_set_up_call(plan, SYS_sethostname, (long)name, (long)length, 0, 0, 0);
}

// clone3(2). `cgroup` is a directory of a version 2 hierarchy for CLONE_INTO_CGROUP, or -1. With CLONE_PARENT the new
// process has the caller's parent and the caller's exit signal.
static inline pid_t sandglass_clone3(const struct sandglass_plan *plan, uint64_t flags, int cgroup) {
    struct clone_args arguments = {
        .flags = flags,
        .exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD,
        .cgroup = cgroup < 0 ? 0 : (uint64_t)cgroup,
    };
    return (pid_t)sandglass_set_up_call(plan, SYS_clone3, (long)&arguments, (long)sizeof arguments, 0, 0, 0);
}
