// Descriptors that have the same numbers in the launcher and its zygotes, beside 0 to 2 on /dev/null and those of groups.
#pragma once

#include "cgroup.h"

enum {
    SANDGLASS_SERVER = 3,
    SANDGLASS_CHILD_SIGNALS = 4,
    SANDGLASS_USERS_CLAIM = SANDGLASS_GROUP_END + SANDGLASS_CONTROLLERS,
    SANDGLASS_HOST_NETWORK,   // its namespace, where runs may use it
    SANDGLASS_USER_NAMESPACE, // a zygote's, for its slots (lease.h)
    SANDGLASS_QUEUES,         // and these
    SANDGLASS_IMAGES_BEGIN, // the mount namespaces of the images
};
