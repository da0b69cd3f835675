// The file system that commands see. The launcher builds it once and every slot inherits it.
#pragma once

#include "cgroup.h"

// Builds the read-only root from the plan in a mount namespace of its own, enters it, and detaches the host's root.
// From then on the launcher can no longer reach the host's files.
//
// Before that, it builds each image's root in a mount namespace of its own, so that no slot inherits or sees another
// image. The launcher and its zygotes hold these namespaces by descriptors with fixed numbers.
//
// Stores a descriptor of the root of the host's view, or -1. Through it the files of the root can be written, which
// commands see read-only. The server owns the directories below /etc and /var/lib and keeps them up to date.
struct sandglass_failure sandglass_root_build(const struct sandglass_plan *plan, bool keep_host_proc, int *view);

// The paths of the file systems that a run writes to.
enum { SANDGLASS_WRITABLE_COUNT = 4 };
const char *sandglass_root_writable_path(uint32_t index);
// The path of the file system that shows the run's message queues (mq_overview(7)), one of the writable ones.
const char *sandglass_root_queues_path(void);

// Enters a copy of an image's mount namespace. Called in a slot that was cloned without a mount namespace of its own.
struct sandglass_failure sandglass_root_enter_image(const struct sandglass_plan *plan, uint32_t image);

// Mount the file systems of one run. Called in a slot.
//
// Commands see a /proc that is read-only and masked. Before sandglass_root_restrict_proc it is neither, because the
// slot's set-up needs it.
struct sandglass_failure sandglass_root_add_proc(const struct sandglass_plan *plan);
struct sandglass_failure sandglass_root_restrict_proc(const struct sandglass_plan *plan);
// Mounts one file system of `bytes` bytes for the calling process, whose user is `host_user`. /box, /tmp and /dev/shm
// are directories of it.
struct sandglass_failure sandglass_root_add_scratch(
    const struct sandglass_plan *plan, uint64_t bytes, uint32_t host_user
);
