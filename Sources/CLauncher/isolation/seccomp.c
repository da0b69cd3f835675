#include "seccomp.h"

#include <linux/filter.h>
#include <linux/seccomp.h>

// Async-signal-safe.
bool sandglass_seccomp_is_available(void) {
    uint32_t action = SECCOMP_RET_KILL_PROCESS;
    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

// Async-signal-safe. Needs no privilege, because the launcher and the slot have set no_new_privs.
struct sandglass_failure sandglass_seccomp_install(const struct sandglass_filter *filter) {
    struct sock_fprog program = {
        .len = (unsigned short)filter->length,
        // The kernel only reads the instructions; the field predates const.
        .filter = (struct sock_filter *)(uintptr_t)filter->instructions,
    };
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
        return sandglass_failed(SANDGLASS_STEP_SYSTEM_CALL_FILTER, -1);
    return sandglass_no_failure();
}
