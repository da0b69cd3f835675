// What Linux and glibc offer and Swift's Glibc module does not show: macros, variadic calls, and what stands
// behind _GNU_SOURCE.
#pragma once

#include <stdint.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <sys/types.h>

// accept4(2), close-on-exec and non-blocking.
int sandglass_accept(int listener, void *address, uint32_t *length);

// tcp(7), TCP_INFO and SIOCOUTQ: how many bytes the other side has acknowledged, how many came from it, and how many milliseconds ago the
// last of them came. 0, or -1 with errno.
struct sandglass_tcp_progress {
    uint64_t acknowledged;
    uint64_t received;
    uint32_t milliseconds_since_data;
    // Bytes that the other side has not acknowledged, sent or not (SIOCOUTQ, tcp(7)).
    uint32_t waiting;
};
int sandglass_tcp_progress(int socket, struct sandglass_tcp_progress *progress);

// pipe2(2) with O_CLOEXEC; the end named is non-blocking, the other blocks as programs expect and
// may be opened again by every user that has it.
enum sandglass_pipe_end { SANDGLASS_PIPE_READ_END = 0, SANDGLASS_PIPE_WRITE_END = 1 };
int sandglass_pipe(int ends[2], enum sandglass_pipe_end non_blocking);

// fcntl(2) F_SETPIPE_SZ.
int sandglass_set_pipe_size(int pipe, int bytes);

// splice(2) without offsets, SPLICE_F_NONBLOCK.
ssize_t sandglass_splice(int from, int to, size_t count);

// memfd_create(2) with MFD_CLOEXEC.
int sandglass_memfd(const char *name);

// One packet with descriptors (SCM_RIGHTS), never blocking, never raising SIGPIPE. 0 or -1 with errno.
int sandglass_send(int socket, const void *packet, size_t length, const int *descriptors, size_t count);

// One packet. Its length, 0 at the end, -1 with errno; never blocking.
ssize_t sandglass_receive_packet(int socket, void *packet, size_t length);

// Waits so many milliseconds for one packet, and takes the descriptor that comes with it, or -1. The packet's length, 0 at the end,
// -1 with errno (ETIMEDOUT).
ssize_t sandglass_receive_with(int socket, void *packet, size_t length, int *descriptor, int milliseconds);

// socketpair(2), SOCK_SEQPACKET, close-on-exec; only the first end is non-blocking.
int sandglass_socket_pair(int ends[2]);

// A socket that is bound to a name in the abstract namespace (unix(7)), close-on-exec, or -1 with errno.
int sandglass_bind_abstract(const char *name);

// "ENOENT", "No such file or directory", "SEGV"; NULL for a number without a name.
const char *sandglass_errno_name(int error);
const char *sandglass_errno_meaning(int error);
const char *sandglass_signal_abbreviation(int signal);

// WIFEXITED and its like are macros with arguments (wait(2)). -1 where they do not apply.
int sandglass_exit_code(int wait_status);
int sandglass_end_signal(int wait_status);
int sandglass_core_dumped(int wait_status);

// pthread_setname_np(3), of the calling thread.
void sandglass_name_thread(const char *name);

// Blocks every signal in the calling thread (pthread_sigmask(3)).
void sandglass_block_signals(void);

// Waits for a child's end (waitpid(2)). One that has not ended after so many milliseconds is killed.
void sandglass_reap(pid_t child, int patience_milliseconds);

// Opens /dev/null on those of the descriptors 0 to 2 that are closed, so that nothing else gets their numbers.
void sandglass_fill_standard_streams(void);

// Becomes another user and group for good, with no other groups and, as root, no capability left. 0 or -1 with errno.
int sandglass_become(uint32_t user);

// No more privilege by exec (PR_SET_NO_NEW_PRIVS), and no look into this process for others of its user (PR_SET_DUMPABLE).
int sandglass_close_process(void);

// How many processors this process may use (sched_getaffinity(2)).
int sandglass_processor_count(void);

// 1 if a file has an extended attribute of that name with a value in it, else 0.
int sandglass_has_attribute(const char *path, const char *name);

// The ABI of landlock(7), or -1 with errno.
int sandglass_landlock_abi(void);

/// CLOCK_MONOTONIC in nanoseconds. Swift's view of timespec depends on which module it has met first.
int64_t sandglass_monotonic_nanoseconds(void);

/// Waits until a condition that goes by CLOCK_MONOTONIC is signalled, or so many milliseconds are over (pthread_cond_timedwait(3)).
/// Returns 0 if it was signalled.
int sandglass_condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t milliseconds);

// signalfd(2), close-on-exec and non-blocking, or -1 with errno. The signals have to be blocked.
int sandglass_signal_descriptor(const sigset_t *signals);

// The next signal that such a descriptor has, or 0 if there is none.
int sandglass_next_signal(int descriptor);
