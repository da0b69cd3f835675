// A zygote is a small process in the control group of one slot number. It makes the slots of that number.
//
// In cgroup version 1 a process starts in its parent's group, and moving it takes milliseconds. Therefore one process
// is moved once, and every slot of the number is cloned from it. CLONE_PARENT still makes the slot a child of the
// launcher: the launcher reaps the slot, and the slot dies with the launcher.
#pragma once

#include "../slot/slot.h"

// Message from launcher to zygote: make a slot. It carries the slot's control socket.
struct sandglass_zygote_request {
    struct sandglass_slot_kind slot_kind;
};

// Message from zygote to launcher. All zygotes share one socket.
struct sandglass_zygote_report {
    uint32_t slot;
    pid_t pid;      // the new slot; 0: the zygote has set itself up; -1: failure
    bool has_ended; // the zygote could not set itself up and has exited
    struct sandglass_failure failure;
    struct sandglass_cgroup cgroup; // state of the group when the slot was made
};

// Forks a zygote for a slot number whose group exists. Returns its pid and its socket, or -1 with errno. Its first
// report tells whether it is in the group; otherwise it exits.
pid_t sandglass_zygote_start(const struct sandglass_plan *plan, uint32_t slot, int reports, int *socket_out);
