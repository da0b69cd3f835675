// Who a slot is: its host user, its user namespace, and the capabilities that it does not have.
#pragma once

#include "system.h"

// In the launcher, when it is not root: a user namespace in which it is, so that all that follows is the same.
struct sandglass_failure sandglass_identity_become_namespace_root(void);

// In the launcher, once its root stands: the capabilities that making, reaping and killing slots takes, and no other.
struct sandglass_failure sandglass_identity_keep_few_capabilities(const struct sandglass_plan *plan);

// In a slot, in this order.
struct sandglass_failure sandglass_identity_change_user(const struct sandglass_plan *plan, uint32_t slot);
struct sandglass_failure sandglass_identity_drop_capabilities(void);

// In a process that has changed to a slot's user: a new user namespace for slots of that number.
struct sandglass_failure sandglass_identity_make_user_namespace(
    const struct sandglass_plan *plan, uint32_t slot, int writable_proc
);

// The uid and gid of a slot, as the launcher's own user namespace counts them.
uint32_t sandglass_identity_host_user(const struct sandglass_plan *plan, uint32_t slot);
