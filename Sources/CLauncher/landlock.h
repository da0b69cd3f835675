// The second wall around the file system: landlock(7). The mounts are the first; a mistake in them is no escape.
#pragma once

#include "system.h"

// Whether the kernel has a Landlock that can be used here.
bool sandglass_landlock_is_available(void);

// In a slot, once its file systems stand and no_new_privs is set: from here on it and all that it starts write to its
// own file systems and to the plan's devices alone, and reach no process and no abstract unix socket outside.
struct sandglass_failure sandglass_landlock_restrict(void);
