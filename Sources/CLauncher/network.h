// Network namespaces, leased to one slot number at a time.
//
// Making one takes longer than all other namespaces together, and taking it down longer still. So a slot's is kept for the
// next slot of its number, which is born when the last process of the one before is gone and reaped. Nothing of a run stays
// in it: sockets end with their processes, lo is down, so that no packet was ever sent, and no run has had a capability over
// it. What does stay is its counters (/proc/net/snmp).
#pragma once

#include "roster.h"

// Whether this is so. An ordinary user cannot go back to a network that he has left: if runs may use the host's, his launcher
// stays in it, and each slot makes its own.
static inline bool sandglass_network_is_leased(const struct sandglass_plan *plan) {
    return !plan->allows_host_network || plan->first_host_user != 0;
}

// In the launcher, where slots are cloned from it: moves it into the namespace of a slot number, a new one if there is none.
// Returns 0, or -1 with errno.
int sandglass_network_enter(struct sandglass_place *place);
// Lets go of a number's namespace.
void sandglass_network_leave(struct sandglass_place *place);

// In the launcher, while it is in the host's network: keeps a descriptor of it, for which it takes root's privilege over it, for
// runs that use it. Returns 0, or -1 with errno.
int sandglass_network_keep_host(void);

// In a slot: sees to it that it is in the host's network, or in one of its own. Returns 0, or -1 with errno.
int sandglass_network_choose(const struct sandglass_plan *plan, const struct sandglass_slot_kind *kind);
