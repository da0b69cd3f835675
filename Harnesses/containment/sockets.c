// Probes of the host's network, its local services, and socket families with a large kernel attack surface.
#define _GNU_SOURCE
#include "probe.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int make(const char *what) {
    int family, type, protocol;
    if (sscanf(what, "%d %d %d", &family, &type, &protocol) != 3) return EINVAL;
    return outcome(socket(family, type, protocol));
}

static struct sockaddr_in loopback(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static int connect_to_port(const char *ignored) {
    (void)ignored;
    struct sockaddr_in name = loopback(context.port);
    int file = socket(AF_INET, SOCK_STREAM, 0);
    return outcome(connect(file, (struct sockaddr *)&name, sizeof name));
}

static int connect_unix(const char *text, bool abstract) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    size_t length = strlen(text);
    if (length + 1 >= sizeof name.sun_path) return ENAMETOOLONG;
    memcpy(name.sun_path + abstract, text, length);
    int file = socket(AF_UNIX, SOCK_STREAM, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
    return outcome(connect(file, (struct sockaddr *)&name, size));
}

static int connect_to_abstract(const char *ignored) {
    (void)ignored;
    return connect_unix(context.abstract, true);
}

static int connect_to_path(const char *ignored) {
    (void)ignored;
    return connect_unix(context.path, false);
}

static int see_abstract(const char *ignored) {
    (void)ignored;
    char line[512];
    FILE *file = fopen("/proc/net/unix", "re");
    if (!file) return errno;
    int result = REFUSED;
    while (fgets(line, sizeof line, file))
        if (strstr(line, context.abstract)) result = 0;
    fclose(file);
    return result;
}

// Succeeds if a port on which the host's loopback listens is visible.
static int see_port(const char *ignored) {
    (void)ignored;
    char line[512], wanted[32];
    snprintf(wanted, sizeof wanted, "0100007F:%04X", (unsigned)context.port);
    FILE *file = fopen("/proc/net/tcp", "re");
    if (!file) return errno;
    int result = REFUSED;
    while (fgets(line, sizeof line, file))
        if (strstr(line, wanted)) result = 0;
    fclose(file);
    return result;
}

// Succeeds if the kernel knows a way to another host. Nothing is sent.
static int find_route(const char *ignored) {
    (void)ignored;
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(9)};
    name.sin_addr.s_addr = htonl(0xC6336401); // 198.51.100.1 (RFC 5737)
    int file = socket(AF_INET, SOCK_DGRAM, 0);
    return outcome(connect(file, (struct sockaddr *)&name, sizeof name));
}

static int listen_low(const char *ignored) {
    (void)ignored;
    struct sockaddr_in name = loopback(1);
    int file = socket(AF_INET, SOCK_STREAM, 0);
    return outcome(bind(file, (struct sockaddr *)&name, sizeof name));
}

// Sets the flags to their present values.
static int set_flags(const char *interface) {
    struct ifreq request = {0};
    strcpy(request.ifr_name, interface);
    int file = socket(AF_INET, SOCK_DGRAM, 0);
    if (ioctl(file, SIOCGIFFLAGS, &request) < 0) return errno;
    return outcome(ioctl(file, SIOCSIFFLAGS, &request));
}

static int be_connected(const char *ignored) {
    (void)ignored;
    struct if_nameindex *all = if_nameindex();
    if (!all) {
        // if_nameindex(3) needs netlink, which may be refused.
        char line[512];
        int count = 0;
        FILE *file = fopen("/proc/net/dev", "re");
        if (!file) return errno;
        while (fgets(line, sizeof line, file)) count += strchr(line, ':') != NULL && !strstr(line, "lo:");
        fclose(file);
        return count > 0 ? 0 : REFUSED;
    }
    int result = REFUSED;
    for (struct if_nameindex *one = all; one->if_index; one++)
        if (strcmp(one->if_name, "lo")) result = 0;
    if_freenameindex(all);
    return result;
}

static int force_buffer(const char *ignored) {
    (void)ignored;
    int on = 1, file = socket(AF_INET, SOCK_STREAM, 0);
    return outcome(setsockopt(file, SOL_SOCKET, SO_RCVBUFFORCE, &on, sizeof on));
}

static const struct probe probes[] = {
    {"network", "connect to a service on loopback", connect_to_port, NULL},
    {"network", "see that a service listens on loopback", see_port, NULL},
    {"network", "connect to an abstract unix socket", connect_to_abstract, NULL},
    {"network", "see an abstract unix socket", see_abstract, NULL},
    {"network", "connect to a unix socket by its path", connect_to_path, NULL},
    {"network", "find a route to another host", find_route, NULL},
    {"network", "take a low port", listen_low, NULL},
    {"network", "set an interface's flags", set_flags, "lo"},
    {"network", "see a network interface", be_connected, NULL},
    {"network", "force a buffer's size", force_buffer, NULL},
    {"network", "make a raw socket", make, "2 3 1"},
    {"network", "make a raw socket of any protocol", make, "2 3 255"},
    {"network", "make a raw socket of version 6", make, "10 3 58"},
    {"network", "make a packet socket", make, "17 3 0"},
    {"network", "make a packet socket for datagrams", make, "17 2 0"},
    {"network", "make a netlink socket for socket diagnostics", make, "16 3 4"},
    {"network", "make a netlink socket for security associations", make, "16 3 6"},
    {"network", "make a netlink socket for auditing", make, "16 3 9"},
    {"network", "make a netlink socket for packet filters", make, "16 3 12"},
    {"network", "make a netlink socket for kernel events", make, "16 3 15"},
    {"network", "make a netlink socket for generic families", make, "16 3 16"},
    {"network", "make a vsock socket", make, "40 1 0"},
    {"network", "make a socket of the kernel's ciphers", make, "38 5 0"},
    {"network", "make a socket of the kernel's keys", make, "15 3 2"},
    {"network", "make a connection multiplexor", make, "41 2 0"},
    {"network", "make an RDS socket", make, "21 5 0"},
    {"network", "make a TIPC socket", make, "30 1 0"},
    {"network", "make an XDP socket", make, "44 3 0"},
    {"network", "make a bluetooth socket", make, "31 3 1"},
    {"network", "make a CAN socket", make, "29 3 1"},
    {"network", "make an SCTP socket", make, "2 1 132"},
    {"network", "make an MPTCP socket", make, "2 1 262"},
};

struct probes socket_probes(void) { return PROBES(probes); }
