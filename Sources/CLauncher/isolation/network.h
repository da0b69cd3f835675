// Network namespaces, kept for one slot number each.
//
// Making a network namespace takes longer than all other namespaces together, and destroying one takes even longer.
// Therefore a slot's namespace is kept for the next slot of the same number. The next slot is made only after the
// last process of the previous one is reaped.
//
// The namespace has a loopback interface that is up, and no other. A run may use it but has no capability over it, so
// addresses, routes and settings stay. What the kernel keeps of a run's traffic (connections in TIME_WAIT, orphans,
// metrics, counters) would stay as well. Therefore a namespace in which a packet was sent or a socket is left is not
// used again.
#pragma once

#include "../descriptors.h"

// Returns whether namespaces are kept. The launcher of an ordinary user cannot return to a network that it has left. If
// runs may use the host's network, such a launcher stays in it and each slot makes its own namespace.
static inline bool sandglass_network_is_kept(const struct sandglass_plan *plan) {
    return !plan->allows_host_network || plan->first_host_user != 0;
}

// Moves the launcher, which slots are cloned from, into the namespace of a slot number. Makes a new namespace if
// `*network` is 0, and stores the new descriptor plus one there. Returns 0, or -1 with errno.
int sandglass_network_enter(const struct sandglass_plan *plan, int *network);
// Closes the namespace of a slot number.
void sandglass_network_leave(int *network);

// Starts the loopback interface of the calling process's network namespace. Without CAP_NET_ADMIN over it, which a
// container may lack, the interface stays down.
void sandglass_network_start_loopback(void);

// The files of the calling process's network namespace that show what a run has left there.
enum sandglass_network_file {
    SANDGLASS_NETWORK_SOCKETS, // /proc/net/sockstat
    SANDGLASS_NETWORK_TRAFFIC, // /proc/net/dev
    SANDGLASS_NETWORK_FILES,
};
// Opens one of these files. Returns its descriptor, or -1 with errno.
int sandglass_network_open_file(int proc, enum sandglass_network_file file);
// Returns whether the network namespace of these files is as new. Called after the last slot in it has exited.
bool sandglass_network_is_unused(int sockets, int traffic);

// Keeps a descriptor of the host's network for runs that use it. Called in the launcher while it is in that network,
// because opening it needs root's privilege over it. Returns 0, or -1 with errno.
int sandglass_network_keep_host(void);

// Enters the host's network or a new one in a slot, as its kind requires. Returns 0, or -1 with errno.
int sandglass_network_choose(const struct sandglass_plan *plan, const struct sandglass_slot_kind *kind);
