// Descriptors with fixed numbers in the launcher and its zygotes. Besides these, 0 to 2 are /dev/null, and the files
// of control groups have numbers of their own.
#pragma once

#include "isolation/cgroup.h"

#include <fcntl.h>

enum {
    SANDGLASS_SERVER = 3,
    SANDGLASS_CHILD_SIGNALS = 4,
    SANDGLASS_USERS_CLAIM = SANDGLASS_CGROUP_END + SANDGLASS_CONTROLLERS,
    SANDGLASS_HOST_NETWORK,   // the host's network namespace, if runs may use it
    SANDGLASS_USER_NAMESPACE, // in a zygote: the user namespace of its slots (slot_namespaces.h)
    SANDGLASS_QUEUES,         // in a zygote: the message queues of its slots
    SANDGLASS_SOCKETS,        // in a zygote: the files of the network of its slots (network.h)
    SANDGLASS_TRAFFIC,
    SANDGLASS_IMAGES_BEGIN,   // mount namespaces of the images
};

// Moves a descriptor above all fixed numbers. Returns its new number, or -1 with errno. Async-signal-safe.
static inline int sandglass_move_above_fixed(const struct sandglass_plan *plan, int file) {
    if (file < 0) return -1;
    int moved = fcntl(file, F_DUPFD_CLOEXEC, SANDGLASS_IMAGES_BEGIN + (int)plan->image_count);
    int error = errno;
    close(file);
    errno = error;
    return moved;
}
