// The file system that commands see: built once by the launcher, inherited by every slot.
#pragma once

#include "cgroup.h"

// In a mount namespace of its own: builds the read-only root from the plan, makes it the root, and lets the
// host's go. After this the launcher itself can no longer reach the host's files. Before that: each image's root, in a mount
// namespace of its own, so that no slot inherits or sees any but its own. The launcher and its zygotes hold these namespaces by
// descriptors with fixed numbers.
struct sandglass_failure sandglass_root_build(const struct sandglass_plan *plan, bool keep_host_proc);

// Where the file systems stand that a run writes to.
enum { SANDGLASS_WRITABLE_COUNT = 4 };
const char *sandglass_root_writable(uint32_t index);
// Of these, the one that shows the run's message queues (mq_overview(7)).
const char *sandglass_root_queues(void);

// In a slot that was not born in a mount namespace of its own: goes over to a copy of the image's.
struct sandglass_failure sandglass_root_enter_image(uint32_t image);

// In a slot: the mounts that belong to one run alone.
//
// Commands see a /proc that is read-only and masked; until it is restricted it is neither, for the slot's own set-up.
struct sandglass_failure sandglass_root_add_proc(void);
struct sandglass_failure sandglass_root_restrict_proc(const struct sandglass_plan *plan);
// One file system of so many bytes, of which /box, /tmp and /dev/shm are folders: the calling process's own, who is this user.
struct sandglass_failure sandglass_root_add_scratch(
    const struct sandglass_plan *plan, uint64_t bytes, uint32_t host_user
);
