#include "network.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

// What is kept for numbers above this costs memory and is seldom used: the lowest free number is given out first.
enum { KEPT = 64 };

// Descriptors of the namespaces by slot number, plus one; 0: none.
static int networks[SANDGLASS_MAXIMUM_SLOTS];

// A descriptor of the calling process's namespace. Asked of a socket, because there is no /proc here.
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
int sandglass_network_enter(uint32_t slot) {
    if (networks[slot] > 0) return (int)syscall(SYS_setns, networks[slot] - 1, CLONE_NEWNET);
    if (syscall(SYS_unshare, CLONE_NEWNET) < 0) return -1;
    int file = open_own();
    if (file < 0) return -1;
    networks[slot] = file + 1;
    return 0;
}

// Async-signal-safe.
void sandglass_network_leave(uint32_t slot) {
    if (slot < KEPT || networks[slot] == 0) return;
    close(networks[slot] - 1);
    networks[slot] = 0;
}
