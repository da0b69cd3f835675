#include "network.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

// Opens the calling process's network namespace through a socket, because there is no /proc here.
static int open_own(void) {
    int socket_in_it = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket_in_it < 0) return -1;
    int file = ioctl(socket_in_it, SIOCGSKNS);
    int error = errno;
    close(socket_in_it);
    errno = error;
    return file;
}

// Async-signal-safe.
int sandglass_network_keep_host(void) {
    int file = open_own();
    if (file < 0) return -1;
    if (file == SANDGLASS_HOST_NETWORK) return 0;
    int kept = dup3(file, SANDGLASS_HOST_NETWORK, O_CLOEXEC);
    int error = errno;
    close(file);
    errno = error;
    return kept < 0 ? -1 : 0;
}

// Async-signal-safe.
int sandglass_network_choose(const struct sandglass_plan *plan, const struct sandglass_slot_kind *kind) {
    bool is_kept = sandglass_network_is_kept(plan);
    if (is_kept && kind->shares_network) return (int)syscall(SYS_setns, SANDGLASS_HOST_NETWORK, CLONE_NEWNET);
    if (!is_kept && !kind->shares_network) return (int)syscall(SYS_unshare, CLONE_NEWNET);
    return 0;
}

// Async-signal-safe.
int sandglass_network_enter(int *network) {
    if (*network > 0) return (int)syscall(SYS_setns, *network - 1, CLONE_NEWNET);
    if (syscall(SYS_unshare, CLONE_NEWNET) < 0) return -1;
    // In a container without CAP_NET_ADMIN there is no descriptor. Each slot then gets a new namespace.
    int file = open_own();
    if (file >= 0) *network = file + 1;
    return 0;
}

// Async-signal-safe.
void sandglass_network_leave(int *network) {
    if (*network == 0) return;
    close(*network - 1);
    *network = 0;
}
