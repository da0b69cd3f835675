// The set-up of the launcher: turns the forked process into a small process with its own file system and no other
// descriptors.
#pragma once

#include "slot_table.h"

// Sets up the launcher and reduces the plan to the features that this host has. `server` is the launcher's end of its
// socket. Stores the descriptor of the host's view for the server (root.h).
struct sandglass_failure sandglass_launcher_set_up(struct sandglass_plan *plan, int server, int *view);
