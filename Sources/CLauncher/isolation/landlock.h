// landlock(7), the second protection of the file system. The mounts are the first one. With both, a mistake in the
// mounts is not an escape.
#pragma once

#include "../system.h"

// Returns whether the kernel has a Landlock version that is usable here.
bool sandglass_landlock_is_available(void);

// Restricts the slot and all its descendants. They may write only to their own file systems and to the plan's devices.
// They reach no process and no abstract unix socket outside. Called after the slot's mounts are complete and
// no_new_privs is set.
struct sandglass_failure sandglass_landlock_restrict(void);
