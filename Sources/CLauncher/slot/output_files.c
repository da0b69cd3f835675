#include "output_files.h"

#include <fcntl.h>
#include <string.h>

// Opens one name at a time, so that no part of a path can lead elsewhere: no slash, no "..", no symbolic link. A FIFO
// without a writer does not block. The server checks whether it is a regular file (fstat(2)).
static int open_name(int directory, const char *name, bool is_link) {
    if (directory < 0) return open("/box", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    errno = EINVAL;
    if (name[0] == '\0' || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) return -1;
    if (is_link) return openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    return openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

// Async-signal-safe.
void sandglass_output_files_serve(int control) {
    for (;;) {
        struct sandglass_open_request request;
        int directory;
        ssize_t received = sandglass_receive(control, &request, sizeof request, &directory, 1);
        // The server needs no more files.
        if (received <= 0) return;
        // Other requests concern a command that has already ended.
        bool is_link = request.kind == SANDGLASS_SLOT_OPEN_LINK;
        if (received != sizeof request || (request.kind != SANDGLASS_SLOT_OPEN && !is_link)) {
            if (directory >= 0) close(directory);
            continue;
        }
        request.name[sizeof request.name - 1] = '\0';
        int file = open_name(directory, request.name, is_link);
        struct sandglass_open_reply reply = {.error = file < 0 ? errno : 0};
        if (directory >= 0) close(directory);
        if (sandglass_send_descriptors(control, &reply, sizeof reply, &file, file >= 0) < 0) {
            // For example, too many descriptors of this user are in transit (unix(7)).
            reply.error = errno;
            if (sandglass_send_descriptors(control, &reply, sizeof reply, NULL, 0) < 0) return;
        }
        if (file >= 0) close(file);
    }
}
