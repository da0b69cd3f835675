// Parts of Linux and glibc that Swift's Glibc module does not import: macros, variadic calls, and functions that
// require _GNU_SOURCE.
#pragma once

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>
#include <sys/types.h>

// Calls accept4(2) for a close-on-exec and non-blocking socket.
int sandglass_accept(int listener, void *address, uint32_t *length);

// Progress of a TCP connection from tcp(7), TCP_INFO: bytes that the peer has acknowledged, bytes received from it,
// and milliseconds since the last of them. Returns 0, or -1 with errno.
struct sandglass_tcp_progress {
    uint64_t acknowledged;
    uint64_t received;
    uint32_t milliseconds_since_data;
    // Bytes that the peer has not acknowledged, whether sent or not (SIOCOUTQ, tcp(7)).
    uint32_t waiting;
};
int sandglass_tcp_progress(int socket, struct sandglass_tcp_progress *progress);

// Calls pipe2(2) with O_CLOEXEC. The end `non_blocking` does not block. The other end blocks, as programs expect, and
// any user that has it may reopen it.
enum sandglass_pipe_end { SANDGLASS_PIPE_READ_END = 0, SANDGLASS_PIPE_WRITE_END = 1 };
int sandglass_pipe(int ends[2], enum sandglass_pipe_end non_blocking);

// Calls fcntl(2) with F_SETPIPE_SZ.
int sandglass_set_pipe_size(int pipe, int bytes);

// Calls splice(2) without offsets and with SPLICE_F_NONBLOCK.
ssize_t sandglass_splice(int from, int to, size_t count);

// Frees a part of a file, which then reads as zeros, by fallocate(2) with FALLOC_FL_PUNCH_HOLE. The size does not change.
int sandglass_punch_hole(int file, off_t offset, off_t count);

// Calls openat2(2) with O_CLOEXEC. Refuses paths that lead out of the directory, and all symbolic links.
int sandglass_open_beneath(int directory, const char *path, int flags);

// Calls memfd_create(2) with MFD_CLOEXEC.
int sandglass_memfd(const char *name);

// Sends one packet with descriptors (SCM_RIGHTS). Never blocks and never raises SIGPIPE. Returns 0, or -1 with errno.
int sandglass_send(int socket, const void *packet, size_t length, const int *descriptors, size_t count);

// Receives one packet without blocking. Returns its length, 0 at the end of the stream, or -1 with errno.
ssize_t sandglass_receive_packet(int socket, void *packet, size_t length);

// Waits up to `milliseconds` for one packet. Stores the descriptor that the packet carries, or -1. Returns the
// packet's length, 0 at the end of the stream, or -1 with errno (ETIMEDOUT).
ssize_t sandglass_receive_descriptor(int socket, void *packet, size_t length, int *descriptor, int milliseconds);

// Calls socketpair(2) for close-on-exec SOCK_SEQPACKET sockets. Only the first end is non-blocking.
int sandglass_socket_pair(int ends[2]);

// Returns a close-on-exec socket that is bound to a name in the abstract namespace (unix(7)), or -1 with errno.
int sandglass_bind_abstract(const char *name);

// Return "ENOENT", "No such file or directory" and "SEGV", or NULL for a number without a name.
const char *sandglass_errno_name(int error);
const char *sandglass_errno_meaning(int error);
const char *sandglass_signal_abbreviation(int signal);

// Replace WIFEXITED and similar macros, whose arguments Swift cannot pass (wait(2)). Return -1 if they do not apply.
int sandglass_exit_code(int wait_status);
int sandglass_termination_signal(int wait_status);
int sandglass_core_dumped(int wait_status);

// Calls pthread_setname_np(3) for the calling thread.
void sandglass_name_thread(const char *name);

// Blocks every signal in the calling thread (pthread_sigmask(3)).
void sandglass_block_signals(void);

// Waits for a child's end (waitpid(2)). Kills a child that has not ended after `timeout_milliseconds`.
void sandglass_reap(pid_t child, int timeout_milliseconds);

// Opens /dev/null for those descriptors of 0 to 2 that are closed, so that no other file gets their numbers.
void sandglass_fill_standard_streams(void);

// Changes to another user and group permanently, without supplementary groups. A root process keeps no capability.
// Returns 0, or -1 with errno.
int sandglass_change_user(uint32_t user);

// Forbids new privileges by exec (PR_SET_NO_NEW_PRIVS) and inspection by other processes of the same user
// (PR_SET_DUMPABLE). Returns 0, or -1 with errno.
int sandglass_harden_process(void);

// Returns the number of processors that this process may use (sched_getaffinity(2)).
int sandglass_processor_count(void);

// Returns 1 if a file has a non-empty extended attribute of that name, otherwise 0.
int sandglass_has_attribute(const char *path, const char *name);

// Returns the ABI version of landlock(7), or -1 with errno.
int sandglass_landlock_abi(void);

// Returns CLOCK_MONOTONIC in nanoseconds. Swift's view of timespec depends on the module that it imported first.
int64_t sandglass_monotonic_nanoseconds(void);

// Waits up to `milliseconds` for a condition that uses CLOCK_MONOTONIC (pthread_cond_timedwait(3)). Returns 0 if it
// was signalled.
int sandglass_condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t milliseconds);

// Calls signalfd(2) for a close-on-exec and non-blocking descriptor. Returns -1 with errno on failure. The signals
// must be blocked.
int sandglass_signal_descriptor(const sigset_t *signals);

// Returns the next pending signal of such a descriptor, or 0 if there is none.
int sandglass_next_signal(int descriptor);
