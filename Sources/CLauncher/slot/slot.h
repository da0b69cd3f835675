// A slot is a hardened process, pid 1 of its own namespaces. It runs one command and reports how the command ended.
#pragma once

#include "../isolation/cgroup.h"

// The parameters for making a slot.
struct sandglass_slot_parameters {
    uint32_t slot;      // slot number
    int control;        // socket to the server
    int user_namespace; // user namespace of the slot number (slot_namespaces.h)
    struct sandglass_slot_kind kind;
    struct sandglass_cgroup cgroup;
};

// Returns the flags for the namespaces that a slot is cloned with. The network, IPC and cgroup namespaces are not
// among them: the parent process has entered those of the slot number (network.h, slot_namespaces.h), or the slot itself
// makes one once it is in its groups (cgroup_view.h).
static inline uint64_t sandglass_slot_clone_flags(const struct sandglass_slot_kind *kind) {
    uint64_t flags = CLONE_NEWPID | CLONE_NEWUTS;
    // An image's mounts are in a namespace of their own, which the slot copies for itself.
    return kind->image == 0 ? flags | CLONE_NEWNS : flags;
}

// Runs a slot in the process that clone3(2) made. The slot exits normally only after its last report; a slot that a
// signal ended has not reported.
_Noreturn void sandglass_slot_run(
    const struct sandglass_plan *plan, const struct sandglass_slot_parameters *parameters
);
