// Probes try to get out of a sandbox. Each probe is a function that returns whether it succeeded.
//
// The same program runs outside as root and inside a run: a probe that fails outside proves nothing inside. Therefore
// no probe changes anything outside. Probes open files without writing to them and set values to their present ones.
// They mount and rename only in namespaces that the caller has made for them.
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

// The result of a probe that failed without an errno.
enum { REFUSED = -1 };

// The targets that the caller prepares for the probes, from KEY=VALUE arguments.
struct context {
    pid_t process;        // outside: a process of root; inside: pid 1
    const char *mark;     // a number that nothing else on the machine uses
    const char *abstract; // name of a listening abstract unix socket of the host
    const char *path;     // path of a listening unix socket of the host
    const char *secret;   // a file of the server's data directory
    int port;             // port of a listener on the host's loopback
    int held_port;        // port that `leave` listens on
};
extern struct context context;

struct probe {
    const char *subject;
    const char *name;
    // Returns 0 if the probe succeeded, otherwise an errno or REFUSED. Runs in a process of its own.
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
struct probes leftover_probes(void);
struct probes mount_probes(void);
struct probes namespace_probes(void);
struct probes process_probes(void);
struct probes socket_probes(void);

// Leaves all objects that `leftover_probes` look for. Returns after they exist.
int leave(void);
// Removes the objects that outlive processes.
int tidy(void);

// Returns 0, or errno for a system call result below 0.
static inline int outcome(long result) { return result < 0 ? errno : 0; }
