// Descriptors that have the same numbers in the launcher and its zygotes, beside 0 to 2 on /dev/null and those of groups.
#pragma once

#include "cgroup.h"

#include <fcntl.h>

enum {
    SANDGLASS_SERVER = 3,
    SANDGLASS_CHILD_SIGNALS = 4,
    SANDGLASS_USERS_CLAIM = SANDGLASS_GROUP_END + SANDGLASS_CONTROLLERS,
    SANDGLASS_HOST_NETWORK,   // its namespace, where runs may use it
    SANDGLASS_USER_NAMESPACE, // a zygote's, for its slots (lease.h)
    SANDGLASS_QUEUES,         // and these
    SANDGLASS_IMAGES_BEGIN, // the mount namespaces of the images
};

// Moves a descriptor behind all of these. Returns its new number, or -1 with errno. Async-signal-safe.
static inline int sandglass_move_away(const struct sandglass_plan *plan, int file) {
    if (file < 0) return -1;
    int moved = fcntl(file, F_DUPFD_CLOEXEC, SANDGLASS_IMAGES_BEGIN + (int)plan->image_count);
    int error = errno;
    close(file);
    errno = error;
    return moved;
}
