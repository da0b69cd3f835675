#include "network.h"

#include "../set_up_calls.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
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
    if (is_kept && kind->shares_network) return sandglass_enter_namespace(plan, SANDGLASS_HOST_NETWORK, CLONE_NEWNET);
    if (is_kept || kind->shares_network) return 0;
    if (sandglass_unshare(plan, CLONE_NEWNET) < 0) return -1;
    sandglass_network_start_loopback();
    return 0;
}

// Async-signal-safe.
int sandglass_network_enter(const struct sandglass_plan *plan, int *network) {
    if (*network > 0) return sandglass_enter_namespace(plan, *network - 1, CLONE_NEWNET);
    if (sandglass_unshare(plan, CLONE_NEWNET) < 0) return -1;
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

// MARK: Loopback

// Async-signal-safe, like every function below.
void sandglass_network_start_loopback(void) {
    int file = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (file < 0) return;
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    ioctl(file, SIOCSIFFLAGS, &request);
    close(file);
}

int sandglass_network_open_file(int proc, enum sandglass_network_file file) {
    const char *path = file == SANDGLASS_NETWORK_SOCKETS ? "self/net/sockstat" : "self/net/dev";
    return openat(proc, path, O_RDONLY | O_CLOEXEC);
}

// Returns the place after a word in the file, or NULL if the file does not contain it.
static const char *find(int file, const char *word, char *text, size_t size) {
    ssize_t length = pread(file, text, size - 1, 0);
    text[length < 0 ? 0 : length] = '\0';
    const char *found = strstr(text, word);
    return found ? found + strlen(word) : NULL;
}

bool sandglass_network_is_unused(int sockets, int traffic) {
    char text[1024];
    // The count includes sockets that no process has open, for example of connections that are being closed.
    const char *count = find(sockets, "sockets: used ", text, sizeof text);
    if (!count || strncmp(count, "0\n", 2) != 0) return false;
    // The first number is that of the bytes received.
    const char *bytes = find(traffic, "lo:", text, sizeof text);
    if (!bytes) return false;
    while (*bytes == ' ') bytes++;
    return strncmp(bytes, "0 ", 2) == 0;
}
