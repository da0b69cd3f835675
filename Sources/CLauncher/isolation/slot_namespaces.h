// The user, IPC and network namespaces of a slot number, used by one slot at a time.
//
// In the user namespace a run is user 1000 and nothing else. It is a host user that no other slot number has, without
// capabilities and without the right to make another user namespace. Making the namespace takes a writable /proc and
// about twenty system calls, and the kernel would destroy it after every run. But its contents, two maps and a limit
// of 0, depend on the slot number and not on the run. Therefore it is kept for the next slot of its number, as the
// network is (network.h). That slot is made only after the last process of the previous one is reaped. A run cannot
// leave anything in the namespace. It may change neither limits nor maps, and it cannot reach the keyrings that the
// kernel attaches to these namespaces (keyctl(2) is refused).
//
// The IPC namespace is kept as well: most runs never use it, and making one costs as much as two hundred system
// calls. It can hold objects that outlive a run. Therefore the process that clones the next slot checks it first, with
// the network (network.h), and makes others if a run has left anything. Only the number of objects ever made remains:
// the ids of later objects reveal it.
#pragma once

#include "network.h"

// Descriptors of the namespaces.
struct sandglass_slot_namespaces {
    int user;   // user namespace
    int ipc;    // IPC namespace
    int queues; // the message queues of the IPC namespace, as a directory (mq_overview(7))
    int network[SANDGLASS_NETWORK_FILES]; // files of the network namespace
};

// Makes the user and IPC namespaces of a slot number in a process of its own, and waits for that process. The calling
// process is in the slot's network namespace, which is new.
struct sandglass_failure sandglass_slot_namespaces_make(
    const struct sandglass_plan *plan, uint32_t slot, struct sandglass_slot_namespaces *namespaces
);
void sandglass_slot_namespaces_close(struct sandglass_slot_namespaces *namespaces);

// Enters the IPC namespace in the process that slots are cloned from. All later clones are in it. Returns 0, or -1
// with errno.
int sandglass_slot_namespaces_enter_ipc(const struct sandglass_plan *plan, int file);

// Enters the user namespace in a slot that has changed to its host user. The slot's other namespaces belong to the
// launcher's user namespace, so the slot gets no capability over them here.
struct sandglass_failure sandglass_slot_namespaces_enter_user(const struct sandglass_plan *plan, int file);

// Returns whether the current IPC namespace holds no object.
bool sandglass_slot_namespaces_have_empty_ipc(const struct sandglass_slot_namespaces *namespaces);
// Returns whether the current IPC namespace and the network namespace hold nothing that another slot could find. Called
// after the last slot in them has exited.
bool sandglass_slot_namespaces_are_unused(
    const struct sandglass_plan *plan, const struct sandglass_slot_namespaces *namespaces
);
