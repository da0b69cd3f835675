// The filter of system calls: seccomp(2).
#pragma once

#include "system.h"

// Whether the kernel takes filters.
bool sandglass_filter_is_available(void);

// The last step of a slot: from here on it has the filter too, and cannot be rid of it.
struct sandglass_failure sandglass_filter_install(const struct sandglass_plan *plan);
