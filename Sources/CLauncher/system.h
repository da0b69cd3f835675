// System calls that glibc does not wrap, or wraps in a way that is wrong here. For example, glibc's set*id functions
// try to reach the other threads of the process, which a fork of a threaded process does not have.
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

static inline uint64_t sandglass_monotonic_nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

// Appends a decimal number and returns the end of the text. snprintf is not async-signal-safe.
char *sandglass_append_number(char *at, uint64_t number);
char *sandglass_append_text(char *at, const char *text);

// Writes a text to an existing file of a directory in one write(2). Returns 0, or -1 with errno.
int sandglass_write_file(int directory, const char *path, const char *text);

// Receives one packet with up to SANDGLASS_MAXIMUM_DESCRIPTORS descriptors. Returns the packet's length, 0 at the end
// of the stream, or -1 with errno. The kernel closes descriptors beyond `count` (MSG_CTRUNC). Missing descriptors are
// set to -1.
enum { SANDGLASS_MAXIMUM_DESCRIPTORS = SANDGLASS_BLOBS_AT_ONCE };
ssize_t sandglass_receive(int socket, void *packet, size_t length, int *descriptors, int count);
// Sends one packet with up to SANDGLASS_MAXIMUM_SENT_DESCRIPTORS descriptors.
enum { SANDGLASS_MAXIMUM_SENT_DESCRIPTORS = 5 };
ssize_t sandglass_send_descriptors(
    int socket, const void *packet, size_t length, const int *descriptors, uint32_t count
);
