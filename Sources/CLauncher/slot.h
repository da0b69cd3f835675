// A slot: pid 1 of namespaces of its own, hardened, which runs one command and reports how it ended.
#pragma once

#include "cgroup.h"

// What a slot is made with.
struct sandglass_birth {
    uint32_t slot; // its number
    int control;   // its socket to the server
    int user_namespace; // the one of its number (lease.h)
    struct sandglass_slot_kind kind;
    struct sandglass_group group;
};

// The namespaces that it is born in. Its network namespace is its parent's, who has entered the one of the slot's number, unless
// it goes to another (network.h); so is its IPC namespace (lease.h).
static inline uint64_t sandglass_slot_namespaces(const struct sandglass_slot_kind *kind) {
    uint64_t flags = CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWCGROUP;
    // An image's mounts are in a namespace of their own, of which the slot makes itself a copy.
    return kind->image == 0 ? flags | CLONE_NEWNS : flags;
}

// The life of a slot, in the process that clone3(2) made. It exits when it has said all that there is to say; ended by a signal,
// it has not.
_Noreturn void sandglass_slot_run(const struct sandglass_plan *plan, const struct sandglass_birth *birth);
