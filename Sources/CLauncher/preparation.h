// How the forked process becomes the launcher: small, closed, and in a file system of its own.
#pragma once

#include "roster.h"

// Leaves in the plan what this host can do. `server` is the launcher's end of its socket.
struct sandglass_failure sandglass_preparation_run(struct sandglass_plan *plan, int server);
