// A zygote: a small process that lives in the control group of one slot number and makes its slots.
//
// In version 1 a process cannot be born in another group than its parent's, and moving it costs milliseconds. So one is
// moved, once, and every slot of that number is cloned from it. CLONE_PARENT makes the slot the launcher's child all the
// same: the launcher reaps it, and the launcher's death is its death.
#pragma once

#include "slot.h"

// launcher → zygote, with the slot's control socket: make a slot.
struct sandglass_zygote_request {
    struct sandglass_slot_kind slot_kind;
};

// zygote → launcher. All zygotes answer on one socket.
struct sandglass_zygote_report {
    uint32_t slot;
    pid_t pid;                        // the new slot; 0: the zygote has set itself up; -1: failure
    bool has_ended;                   // the zygote itself: it could not set itself up
    struct sandglass_failure failure;
    struct sandglass_group group;     // as it was when the slot was born
};

// Forks a zygote for a slot number; its group exists. Returns its pid and its socket, or -1 with errno. Its first report says
// whether it is in the group; if not, it ends.
pid_t sandglass_zygote_start(const struct sandglass_plan *plan, uint32_t slot, int reports, int *socket_out);
