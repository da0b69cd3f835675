// The filter of system calls: seccomp(2).
#pragma once

#include "system.h"

// Whether the kernel takes filters.
bool sandglass_filter_is_available(void);

// The last step of the launcher's preparation, and that of a slot: from here on it and all that it starts have the filter, and
// cannot be rid of it.
struct sandglass_failure sandglass_filter_install(const struct sandglass_filter *filter);
