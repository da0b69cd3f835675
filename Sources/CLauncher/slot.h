// A slot: pid 1 of namespaces of its own, hardened, which runs one command and reports how it ended.
#pragma once

#include "cgroup.h"

// What a slot is made with.
struct sandglass_birth {
    uint32_t slot;          // its number
    int control;            // its socket to the server
    uint64_t scratch_bytes; // size of its writable file system
    struct sandglass_group group;
};

// Its network namespace is its parent's, who has entered the one of the slot's number (network.h).
enum {
    SANDGLASS_SLOT_NAMESPACES =
        CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP
};

// The life of a slot, in the process that clone3(2) made. It exits when it has said all
// that there is to say; ended by a signal, it has not.
_Noreturn void sandglass_slot_run(const struct sandglass_plan *plan, const struct sandglass_birth *birth);
