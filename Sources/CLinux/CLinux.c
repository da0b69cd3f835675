#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

int sandglass_pipe(int ends[2], enum sandglass_pipe_end non_blocking) {
    if (pipe2(ends, O_CLOEXEC) < 0) return -1;
    // The blocking end belongs to a command with another user, which reopens the pipe through /dev/stdout and
    // /dev/stdin.
    mode_t mode = non_blocking == SANDGLASS_PIPE_READ_END ? 0622 : 0644;
    if (fcntl(ends[non_blocking], F_SETFL, O_NONBLOCK | (non_blocking ? O_WRONLY : O_RDONLY)) == 0
        && fchmod(ends[0], mode) == 0)
        return 0;
    int error = errno;
    close(ends[0]);
    close(ends[1]);
    errno = error;
    return -1;
}

int sandglass_accept(int listener, void *address, uint32_t *length) {
    return accept4(listener, address, length, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

int sandglass_tcp_progress(int socket, struct sandglass_tcp_progress *progress) {
    struct tcp_info info;
    memset(&info, 0, sizeof info);
    socklen_t length = sizeof info;
    if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &length) < 0) return -1;
    progress->acknowledged = info.tcpi_bytes_acked;
    progress->received = info.tcpi_bytes_received;
    progress->milliseconds_since_data = info.tcpi_last_data_recv;
    int waiting = 0;
    if (ioctl(socket, SIOCOUTQ, &waiting) < 0) return -1;
    progress->waiting = (uint32_t)waiting;
    return 0;
}

int sandglass_set_pipe_size(int pipe, int bytes) { return fcntl(pipe, F_SETPIPE_SZ, bytes); }

ssize_t sandglass_splice(int from, int to, size_t count) {
    return splice(from, NULL, to, NULL, count, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
}

int sandglass_punch_hole(int file, off_t offset, off_t count) {
    return fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, count);
}

int sandglass_open_beneath(int directory, const char *path, int flags) {
    struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC), .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

int sandglass_memfd(const char *name) { return memfd_create(name, MFD_CLOEXEC); }

int sandglass_send(int socket, const void *packet, size_t length, const int *descriptors, size_t count) {
    enum { MAXIMUM_DESCRIPTORS = 64 };
    union {
        char space[CMSG_SPACE(MAXIMUM_DESCRIPTORS * sizeof(int))];
        struct cmsghdr alignment;
    } control;
    if (count > MAXIMUM_DESCRIPTORS) {
        errno = EINVAL;
        return -1;
    }
    struct iovec part = {.iov_base = (void *)packet, .iov_len = length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.space;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
    }
    ssize_t sent;
    do sent = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -1 : 0;
}

ssize_t sandglass_receive_packet(int socket, void *packet, size_t length) {
    ssize_t received;
    // ECONNRESET: the peer closed its end with an unread packet of ours. The packets that it sent before are still
    // readable after that error. A slot whose command ends at the time of a kill request does exactly this, and its
    // last report is the verdict. The error is reported only once (socket(7), SO_ERROR).
    do received = recv(socket, packet, length, MSG_DONTWAIT);
    while (received < 0 && (errno == EINTR || errno == ECONNRESET));
    return received;
}

ssize_t sandglass_receive_descriptor(int socket, void *packet, size_t length, int *descriptor, int milliseconds) {
    *descriptor = -1;
    struct pollfd event = {.fd = socket, .events = POLLIN};
    int ready;
    do ready = poll(&event, 1, milliseconds);
    while (ready < 0 && errno == EINTR);
    if (ready == 0) errno = ETIMEDOUT;
    if (ready <= 0) return -1;
    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr alignment;
    } control;
    struct iovec part = {.iov_base = packet, .iov_len = length};
    struct msghdr message = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.space,
        .msg_controllen = sizeof control.space,
    };
    ssize_t received;
    do received = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (received < 0 && errno == EINTR);
    if (received <= 0) return received;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
        memcpy(descriptor, CMSG_DATA(header), sizeof *descriptor);
    return received;
}

int sandglass_socket_pair(int ends[2]) {
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return -1;
    if (fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0) return 0;
    int error = errno;
    close(ends[0]);
    close(ends[1]);
    errno = error;
    return -1;
}

int sandglass_bind_abstract(const char *name) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(name);
    if (length >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    // Abstract names begin with a 0 byte.
    memcpy(address.sun_path + 1, name, length);
    int file = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (file < 0) return -1;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
    if (bind(file, (struct sockaddr *)&address, size) == 0) return file;
    int error = errno;
    close(file);
    errno = error;
    return -1;
}

const char *sandglass_errno_name(int error) { return strerrorname_np(error); }

const char *sandglass_errno_meaning(int error) { return strerrordesc_np(error); }

const char *sandglass_signal_abbreviation(int signal) { return sigabbrev_np(signal); }

int sandglass_exit_code(int wait_status) { return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1; }

int sandglass_termination_signal(int wait_status) { return WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : -1; }

int sandglass_core_dumped(int wait_status) { return WIFSIGNALED(wait_status) && WCOREDUMP(wait_status) ? 1 : 0; }

void sandglass_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

void sandglass_block_signals(void) {
    sigset_t all;
    sigfillset(&all);
    // Blocking a signal that a fault of this very thread raises has undefined results (sigprocmask(2)).
    static const int faults[] = {SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) sigdelset(&all, faults[i]);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
}

void sandglass_reap(pid_t child, int timeout_milliseconds) {
    int file = (int)syscall(SYS_pidfd_open, child, 0);
    if (file >= 0) {
        struct pollfd end = {.fd = file, .events = POLLIN};
        int ready;
        do ready = poll(&end, 1, timeout_milliseconds);
        while (ready < 0 && errno == EINTR);
        // After a change of user (sandglass_change_user) this process may not kill the child, which then ends by
        // itself.
        bool is_other_user = ready == 0 && kill(child, SIGKILL) < 0;
        close(file);
        if (is_other_user) return;
    }
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
}

void sandglass_fill_standard_streams(void) {
    // open(2) returns the lowest free number.
    int file;
    do file = open("/dev/null", O_RDWR);
    while (file >= 0 && file <= 2);
    if (file > 2) close(file);
}

int sandglass_change_user(uint32_t user) {
    if (setgroups(0, NULL) < 0 || setresgid(user, user, user) < 0) return -1;
    // On a change from user 0 to another one the kernel clears all capabilities (capabilities(7)).
    return setresuid(user, user, user);
}

int sandglass_harden_process(void) {
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0 ? -1 : 0;
}

int sandglass_processor_count(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

int sandglass_has_attribute(const char *path, const char *name) { return getxattr(path, name, NULL, 0) > 0; }

int sandglass_landlock_abi(void) {
    enum { CREATE_RULESET_VERSION = 1 };
    return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
}

int64_t sandglass_monotonic_nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int sandglass_condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t milliseconds) {
    int64_t until = sandglass_monotonic_nanoseconds() + milliseconds * 1000000;
    struct timespec time = {.tv_sec = until / 1000000000, .tv_nsec = until % 1000000000};
    return pthread_cond_timedwait(condition, mutex, &time);
}

int sandglass_signal_descriptor(const sigset_t *signals) { return signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK); }

int sandglass_next_signal(int descriptor) {
    struct signalfd_siginfo signal;
    return read(descriptor, &signal, sizeof signal) == sizeof signal ? (int)signal.ssi_signo : 0;
}
