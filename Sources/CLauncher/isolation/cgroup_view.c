#include "cgroup_view.h"

#include "../set_up_calls.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

// MARK: The common group

#define COMMON "runs"

// Async-signal-safe, like every function below.
void sandglass_cgroup_enter_common(struct sandglass_cgroup_tree *cgroups) {
    if (cgroups->version != 1) return;
    for (uint32_t i = SANDGLASS_CONTROLLER_QUOTA; i < SANDGLASS_CONTROLLERS; i++) {
        int directory = cgroups->directories[i];
        if (!sandglass_cgroup_is_first(cgroups, i)) continue;
        if ((mkdirat(directory, COMMON, 0755) < 0 && errno != EEXIST)
            || sandglass_write_file(directory, COMMON "/cgroup.procs", "0") < 0)
            cgroups->hidden |= UINT32_C(1) << i;
    }
}

void sandglass_cgroup_leave_common(int directory, int parent) {
    if (faccessat(directory, COMMON, F_OK, 0) < 0) return;
    sandglass_write_file(parent, "cgroup.procs", "0");
    unlinkat(directory, COMMON, AT_REMOVEDIR);
}

// MARK: Mounts

static void show(const struct sandglass_plan *plan, uint32_t controllers, bool replaces) {
    const struct sandglass_cgroup_tree *cgroups = &plan->cgroups;
    const unsigned long flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
    for (uint32_t i = 0; i < cgroups->view_count && cgroups->version > 0; i++) {
        const struct sandglass_cgroup_view *view = &cgroups->views[i];
        if (!(controllers & ~cgroups->hidden & (UINT32_C(1) << view->controller))) continue;
        // Programs read only the first mount of a hierarchy (proc_pid_mountinfo(5)).
        if (replaces) sandglass_unmount(plan, view->target, MNT_DETACH);
        // No protection depends on this mount. A container may refuse it.
        sandglass_mount(plan, "cgroup", view->target, view->options ? "cgroup" : "cgroup2", flags, view->options);
    }
}

int sandglass_cgroup_show(const struct sandglass_plan *plan) {
    if (sandglass_unshare(plan, CLONE_NEWCGROUP) < 0) return -1;
    show(plan, ~UINT32_C(0), false);
    return 0;
}

int sandglass_cgroup_show_again(const struct sandglass_plan *plan) {
    if (sandglass_unshare(plan, CLONE_NEWCGROUP) < 0) return -1;
    show(plan, ~UINT32_C(0), true);
    return 0;
}

int sandglass_cgroup_show_slot(
    const struct sandglass_plan *plan, const struct sandglass_cgroup *cgroup, bool is_image
) {
    if (cgroup->version != 1) return sandglass_cgroup_show(plan);
    // The slot has just entered the group with its quota.
    if (cgroup->has_quota && sandglass_unshare(plan, CLONE_NEWCGROUP) < 0) return -1;
    if (is_image) show(plan, ~UINT32_C(0), false);
    else if (cgroup->has_quota) show(plan, UINT32_C(1) << SANDGLASS_CONTROLLER_QUOTA, true);
    return 0;
}
