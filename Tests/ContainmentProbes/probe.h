// Attempts to get out of a sandbox, each a function that says whether it got what it was after.
//
// The same program runs outside, as root, and inside: an attempt that fails outside proves nothing inside. So none of
// them changes anything outside: files are opened and not written to, values are set to what they already are, and what
// is mounted or renamed is in namespaces that the caller has made for it.
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

// What an attempt says that failed without an errno.
enum { REFUSED = -1 };

// What the caller has made for the attempts to reach: KEY=VALUE arguments.
struct context {
    pid_t process;         // outside a process of root, inside pid 1
    const char *mark;      // a number that nothing else on the machine has
    const char *abstract;  // name of a listening abstract unix socket of the host
    const char *path;      // of a listening unix socket of the host
    const char *secret;    // a file of the server's data directory
    int port;              // of a listener on the host's loopback
    int held_port;         // that `leave` listens on
};
extern struct context context;

struct probe {
    const char *subject;
    const char *name;
    // 0: it got what it was after. Otherwise an errno, or REFUSED. Runs in a process of its own.
    int (*attempt)(const char *argument);
    const char *argument;
};

struct probes {
    const struct probe *first;
    size_t count;
};
#define PROBES(list) ((struct probes){list, sizeof(list) / sizeof((list)[0])})

struct probes file_probes(void);
struct probes identity_probes(void);
struct probes kernel_probes(void);
struct probes left_probes(void);
struct probes mount_probes(void);
struct probes namespace_probes(void);
struct probes process_probes(void);
struct probes socket_probes(void);

// Leaves everything behind that `left_probes` look for; returns when it is there.
int leave(void);
// Takes away again what outlives processes.
int tidy(void);

// 0, or errno, of a call that returns less than 0 when it fails.
static inline int outcome(long result) { return result < 0 ? errno : 0; }
