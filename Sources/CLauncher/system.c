#include "system.h"

#include <fcntl.h>
#include <string.h>

struct sandglass_failure sandglass_no_failure(void) {
    return (struct sandglass_failure){.step = SANDGLASS_STEP_NONE, .index = -1, .error = 0};
}

struct sandglass_failure sandglass_failed(enum sandglass_step step, int32_t index) {
    return (struct sandglass_failure){.step = step, .index = index, .error = errno};
}

// Async-signal-safe.
char *sandglass_append_number(char *at, uint64_t number) {
    char reversed[20];
    size_t count = 0;
    do {
        reversed[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (count > 0) *at++ = reversed[--count];
    *at = '\0';
    return at;
}

// Async-signal-safe.
char *sandglass_append_text(char *at, const char *text) {
    size_t length = strlen(text);
    memcpy(at, text, length + 1);
    return at + length;
}

// Async-signal-safe.
int sandglass_write_file(int directory, const char *path, const char *text) {
    int file = openat(directory, path, O_WRONLY | O_CLOEXEC);
    if (file < 0) return -1;
    ssize_t written = write(file, text, strlen(text));
    int error = errno;
    close(file);
    errno = error;
    return written < 0 ? -1 : 0;
}

// Async-signal-safe.
ssize_t sandglass_receive(int socket, void *packet, size_t length, int *descriptors, int count) {
    union {
        char space[CMSG_SPACE(SANDGLASS_MAXIMUM_DESCRIPTORS * sizeof(int))];
        struct cmsghdr alignment;
    } control;
    struct iovec part = {.iov_base = packet, .iov_len = length};
    struct msghdr message = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.space,
        .msg_controllen = count > 0 ? CMSG_SPACE((size_t)count * sizeof(int)) : 0,
    };
    for (int i = 0; i < count; i++) descriptors[i] = -1;

    ssize_t received;
    do received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (received < 0 && errno == EINTR);
    if (received <= 0) return received;

    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
        size_t arrived = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        if (arrived > (size_t)count) arrived = (size_t)count;
        memcpy(descriptors, CMSG_DATA(header), arrived * sizeof(int));
    }
    return received;
}

// Async-signal-safe.
ssize_t sandglass_send_descriptors(
    int socket, const void *packet, size_t length, const int *descriptors, uint32_t count
) {
    union {
        char space[CMSG_SPACE(SANDGLASS_MAXIMUM_SENT_DESCRIPTORS * sizeof(int))];
        struct cmsghdr alignment;
    } control = {{0}};
    struct iovec part = {.iov_base = (void *)(uintptr_t)packet, .iov_len = length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        message.msg_control = control.space;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
    }
    ssize_t sent;
    do sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent;
}
