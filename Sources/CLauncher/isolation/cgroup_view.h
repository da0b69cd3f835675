// Commands see their own control groups below /sys/fs/cgroup, read-only, because runtimes such as Java's choose the sizes
// of heaps and thread pools by them.
//
// A mount of a hierarchy shows the group that is the root of the cgroup namespace (cgroup_namespaces(7)). Successive
// slots of a zygote have the same groups, so under version 1 the zygote mounts them once, and each slot inherits them.
//
// Few slots have a group in the hierarchies of cpu and cpuset (version 1), because a group of its own would make a slot's
// supervisor wait behind other runs. All others are in one group of the service there, which the launcher enters.
#pragma once

#include "cgroup.h"

// v1: moves the calling process into the common group of cpu and cpuset. Where that fails the hierarchy stays hidden,
// because it would show the groups of the host. Runs in the launcher.
void sandglass_cgroup_enter_common(struct sandglass_cgroup_tree *cgroups);
// Leaves and removes the common group of a hierarchy, if there is one. Runs at the launcher's end.
void sandglass_cgroup_leave_common(int directory, int parent);

// Make the groups of the calling process the roots of what it sees, and mount them. Where the kernel refuses a mount, the
// directory stays empty. Return 0, or -1 with errno.
//
// v1: called in a zygote that has mounts of its own.
int sandglass_cgroup_show(const struct sandglass_plan *plan);
// v1: called in a zygote whose groups are new. Its mounts still show the old ones.
int sandglass_cgroup_show_again(const struct sandglass_plan *plan);
// Called in a slot, whose mounts are a copy of the zygote's unless it shows an image.
int sandglass_cgroup_show_slot(
    const struct sandglass_plan *plan, const struct sandglass_cgroup *cgroup, bool is_image
);
