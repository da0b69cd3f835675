// The identity of a slot: its host user, its user namespace, and the capabilities that it gives up.
#pragma once

#include "../system.h"

// Enters a user namespace in a launcher that is not root, so that all later steps are the same as for root.
struct sandglass_failure sandglass_identity_become_namespace_root(void);

// Drops all capabilities but those for making, reaping and killing slots. Runs in the launcher after its root is
// built.
struct sandglass_failure sandglass_identity_limit_capabilities(const struct sandglass_plan *plan);

// Change the identity of a slot, in this order.
struct sandglass_failure sandglass_identity_change_user(const struct sandglass_plan *plan, uint32_t slot);
struct sandglass_failure sandglass_identity_drop_capabilities(void);

// Makes a user namespace for slots of one number. Runs in a process that has changed to the slot's user.
struct sandglass_failure sandglass_identity_make_user_namespace(
    const struct sandglass_plan *plan, uint32_t slot, int writable_proc
);

// Returns the uid and gid of a slot as the launcher's own user namespace counts them.
uint32_t sandglass_identity_host_user(const struct sandglass_plan *plan, uint32_t slot);
