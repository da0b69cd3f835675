#include "retrieval.h"

#include <fcntl.h>
#include <string.h>

// One name at a time, so that there is no path of which a part could lead elsewhere: no slash, no "..", no symbolic link, and a
// FIFO that nobody writes to does not block. Whether it is a file is for the server to see (fstat(2)).
static int open_name(int folder, const char *name) {
    if (folder < 0) return open("/box", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    errno = EINVAL;
    if (name[0] == '\0' || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) return -1;
    return openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

// Async-signal-safe.
void sandglass_retrieval_serve(int control) {
    for (;;) {
        struct sandglass_open_request request;
        int folder;
        ssize_t received = sandglass_receive(control, &request, sizeof request, &folder, 1);
        // The server has all that it wants.
        if (received <= 0) return;
        // Others are about a command that has ended already.
        if (received != sizeof request || request.kind != SANDGLASS_SLOT_OPEN) {
            if (folder >= 0) close(folder);
            continue;
        }
        request.name[sizeof request.name - 1] = '\0';
        int file = open_name(folder, request.name);
        struct sandglass_open_reply reply = {.error = file < 0 ? errno : 0};
        if (folder >= 0) close(folder);
        if (sandglass_send_with(control, &reply, sizeof reply, &file, file >= 0) < 0) {
            // More descriptors under way than the user may have, say (unix(7)).
            reply.error = errno;
            if (sandglass_send_with(control, &reply, sizeof reply, NULL, 0) < 0) return;
        }
        if (file >= 0) close(file);
    }
}
