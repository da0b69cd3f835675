// The system call filter: seccomp(2).
#pragma once

#include "../system.h"

// Returns whether the kernel supports filters.
bool sandglass_seccomp_is_available(void);

// Installs a filter for the calling process and all its descendants, which cannot remove it. This is the last step of
// the launcher's set-up and of a slot's.
struct sandglass_failure sandglass_seccomp_install(const struct sandglass_filter *filter);
