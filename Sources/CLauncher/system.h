// System calls that glibc does not wrap, or wraps in a way that is wrong here: its set*id functions try to
// reach the process's other threads, which a fork of a threaded process does not have.
#pragma once

#define _GNU_SOURCE
#include "include/CLauncher.h"

#include <errno.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

struct sandglass_failure sandglass_no_failure(void);
struct sandglass_failure sandglass_failed(enum sandglass_step step, int32_t index);

// `cgroup` is a folder of a version 2 hierarchy for CLONE_INTO_CGROUP. With CLONE_PARENT the new process has the caller's
// parent, and the caller's signal for it.
static inline pid_t sandglass_clone3(uint64_t flags, int cgroup) {
    struct clone_args arguments = {
        .flags = flags,
        .exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD,
        .cgroup = cgroup < 0 ? 0 : (uint64_t)cgroup,
    };
    return (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
}

static inline uint64_t sandglass_monotonic_nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

// Writes a decimal number and returns where its text ends. snprintf is not async-signal-safe.
char *sandglass_append_number(char *at, uint64_t number);
char *sandglass_append_text(char *at, const char *text);

// Writes a text to an existing file of a folder in one write(2). Returns 0 or -1 with errno.
int sandglass_write_file(int folder, const char *path, const char *text);

// One packet with up to SANDGLASS_MAXIMUM_DESCRIPTORS descriptors. Returns the packet's length, 0 at the end,
// -1 with errno. Descriptors beyond those wanted are closed by the kernel (MSG_CTRUNC); those missing are -1.
enum { SANDGLASS_MAXIMUM_DESCRIPTORS = SANDGLASS_BLOBS_AT_ONCE };
ssize_t sandglass_receive(int socket, void *packet, size_t length, int *descriptors, int count);
// One packet with a few descriptors, or with none.
enum { SANDGLASS_SENT_DESCRIPTORS = 3 };
ssize_t sandglass_send_with(int socket, const void *packet, size_t length, const int *descriptors, uint32_t count);
