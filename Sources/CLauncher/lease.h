// The user namespace and the IPC namespace of a slot number, leased to one slot at a time.
//
// In a user namespace of its own a run is user 1000 and nothing else: a host user that no other number has, without a
// capability, and without the right to make a namespace of that kind. Making it takes a /proc that may be written to and some
// twenty system calls, and the kernel takes it down behind every run. But what there is to it belongs to the number and not to
// the run: its two maps, and a limit of 0. So it is kept for the next slot of its number, as the network is (network.h), which
// is born when the last process of the one before is gone and reaped. A run cannot leave anything in it: it may change neither
// limits nor maps, and keyrings, which the kernel hangs on these namespaces, are out of its reach (keyctl(2) is refused).
//
// The IPC namespace is kept as well: most runs never use it, and one costs as much as two hundred system calls. It can hold what
// outlives a run, so whoever clones the next slot looks first, and makes another where there is anything. What does stay is how
// many objects there have been, which the numbers of the next ones tell.
#pragma once

#include "system.h"

// Descriptors.
struct sandglass_lease {
    int user;   // namespace
    int ipc;    // namespace
    int queues; // the message queues of the latter, as a folder (mq_overview(7))
};

// Makes the namespaces of a slot number. In a process of its own, for which the caller waits.
struct sandglass_failure sandglass_lease_make(
    const struct sandglass_plan *plan, uint32_t slot, struct sandglass_lease *lease
);
void sandglass_lease_end(struct sandglass_lease *lease);

// In the process that a slot is cloned from: all that it clones from here on is in this IPC namespace. Returns 0, or -1 with
// errno.
int sandglass_lease_enter_ipc(int file);

// In a slot that has become its host user. The namespaces that it was born in belong to the launcher's: over those it is given
// no capability here.
struct sandglass_failure sandglass_lease_enter_user(int file);

// In a process that is in this IPC namespace, when its last slot is gone: whether there is nothing in it that another could find.
bool sandglass_lease_is_empty(int queues);
