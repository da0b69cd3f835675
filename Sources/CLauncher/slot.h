// A slot: pid 1 of namespaces of its own, hardened, which runs one command and reports how it ended.
#pragma once

#include "system.h"

// The life of a slot, in the process that clone3(2) made. `walls` are those of enum sandglass_wall that it builds,
// `control` is its socket to the server.
_Noreturn void sandglass_slot_run(const struct sandglass_plan *plan, uint32_t walls, uint32_t slot, int control);
