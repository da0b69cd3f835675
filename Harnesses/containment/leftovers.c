// Probes for objects that another run left behind or holds at the same time. The objects' names contain the caller's
// mark.
#define _GNU_SOURCE
#include "probe.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

enum { HOLDING_SECONDS = 60, USER_KEYRING = -4, KEYCTL_UNLINK = 9, KEYCTL_SEARCH = 10 };
// A file that everybody can read and no other program locks.
static const char shared_file[] = "/usr/bin/tzselect";

static key_t key(void) { return (key_t)(0x53470000 + atoi(context.mark)); }

static const char *name(const char *before) {
    static char text[PATH_MAX];
    snprintf(text, sizeof text, "%scp-%s", before, context.mark);
    return text;
}

static struct sockaddr_un abstract_name(socklen_t *size) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "cp-%s", context.mark);
    *size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    return address;
}

static struct sockaddr_in held_address(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)context.held_port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

// MARK: Leaving objects

// Opens descriptors that are closed when their process ends.
static int hold(void) {
    int lock = open(shared_file, O_RDONLY);
    if (lock < 0 || flock(lock, LOCK_EX) < 0) return errno;
    struct flock record = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    if (fcntl(lock, F_SETLK, &record) < 0) return errno;
    socklen_t size;
    struct sockaddr_un address = abstract_name(&size);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 1) < 0) return errno;
    // In a sandbox loopback is down; a listener would use this address.
    struct sockaddr_in port = held_address();
    listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&port, sizeof port) < 0 || listen(listener, 1) < 0) return errno;
    return 0;
}

// Starts a daemon that outlives its parent in a session of its own. Writes the daemon's pid to a file for the
// clean-up.
static int start_daemon(void) {
    int ends[2], error = EPIPE;
    if (pipe(ends) < 0) return errno;
    pid_t pid = fork();
    if (pid < 0) return errno;
    if (pid == 0) {
        setsid();
        prctl(PR_SET_NAME, name(""));
        alarm(HOLDING_SECONDS);
        int result = hold();
        if (write(ends[1], &result, sizeof result) < 0) _exit(1);
        int null = open("/dev/null", O_RDWR);
        for (int i = 0; i < 3; i++) dup2(null, i);
        close(ends[1]);
        for (;;) pause();
    }
    close(ends[1]);
    if (read(ends[0], &error, sizeof error) != sizeof error) return EPIPE;
    FILE *file = fopen("daemon", "we");
    if (!file) return errno;
    fprintf(file, "%d\n", (int)pid);
    fclose(file);
    return error;
}

int leave(void) {
    int memory = shm_open(name("/"), O_RDWR | O_CREAT, 0666);
    if (memory < 0) return errno;
    int file = open(name("/tmp/"), O_WRONLY | O_CREAT, 0666);
    if (file < 0) return errno;
    if (shmget(key(), 4096, IPC_CREAT | 0666) < 0) return errno;
    if (semget(key(), 1, IPC_CREAT | 0666) < 0) return errno;
    if (msgget(key(), IPC_CREAT | 0666) < 0) return errno;
    if (mq_open(name("/"), O_RDWR | O_CREAT, 0666, NULL) < 0) return errno;
    // Some hosts refuse this call. `leftovers` then finds no key.
    syscall(SYS_add_key, "user", name(""), "x", (size_t)1, USER_KEYRING);
    return start_daemon();
}

int tidy(void) {
    shm_unlink(name("/"));
    mq_unlink(name("/"));
    unlink(name("/tmp/"));
    shmctl(shmget(key(), 0, 0), IPC_RMID, NULL);
    semctl(semget(key(), 0, 0), 0, IPC_RMID);
    msgctl(msgget(key(), 0), IPC_RMID, NULL);
    long found = syscall(SYS_keyctl, KEYCTL_SEARCH, USER_KEYRING, "user", name(""), 0);
    if (found > 0) syscall(SYS_keyctl, KEYCTL_UNLINK, found, USER_KEYRING);
    return 0;
}

// MARK: Finding objects

static int find_memory(const char *ignored) {
    (void)ignored;
    return outcome(shm_open(name("/"), O_RDONLY, 0));
}

static int find_file(const char *directory) { return outcome(open(name(directory), O_RDONLY)); }

static int find_shared_memory(const char *ignored) {
    (void)ignored;
    return outcome(shmget(key(), 0, 0));
}

static int find_semaphores(const char *ignored) {
    (void)ignored;
    return outcome(semget(key(), 0, 0));
}

static int find_messages(const char *ignored) {
    (void)ignored;
    return outcome(msgget(key(), 0));
}

static int find_queue(const char *ignored) {
    (void)ignored;
    return outcome(mq_open(name("/"), O_RDONLY));
}

static int find_key(const char *ignored) {
    (void)ignored;
    return outcome(syscall(SYS_keyctl, KEYCTL_SEARCH, USER_KEYRING, "user", name(""), 0));
}

static int find_lock(const char *ignored) {
    (void)ignored;
    int file = open(shared_file, O_RDONLY);
    if (file < 0) return errno;
    return flock(file, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK ? 0 : REFUSED;
}

static int find_record_lock(const char *ignored) {
    (void)ignored;
    int file = open(shared_file, O_RDONLY);
    if (file < 0) return errno;
    struct flock record = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(file, F_GETLK, &record) < 0) return errno;
    return record.l_type != F_UNLCK ? 0 : REFUSED;
}

static int find_socket(const char *ignored) {
    (void)ignored;
    socklen_t size;
    struct sockaddr_un address = abstract_name(&size);
    return outcome(connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address, size));
}

static int find_port(const char *ignored) {
    (void)ignored;
    struct sockaddr_in address = held_address();
    return outcome(connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof address));
}

static int find_process(const char *ignored) {
    (void)ignored;
    DIR *directory = opendir("/proc");
    if (!directory) return errno;
    int result = REFUSED;
    for (struct dirent *entry; result && (entry = readdir(directory));) {
        char path[PATH_MAX], found[64] = {0};
        snprintf(path, sizeof path, "/proc/%s/comm", entry->d_name);
        FILE *file = fopen(path, "re");
        if (!file) continue;
        // The kernel keeps the first 15 bytes of the name (prctl(2)).
        if (fgets(found, sizeof found, file) && strlen(found) > 1 && !strncmp(found, name(""), strlen(found) - 1))
            result = 0;
        fclose(file);
    }
    closedir(directory);
    return result;
}

static const struct probe probes[] = {
    {"leftovers", "find a file in /tmp", find_file, "/tmp/"},
    {"leftovers", "find a file in /dev/shm", find_memory, NULL},
    {"leftovers", "find System V shared memory", find_shared_memory, NULL},
    {"leftovers", "find System V semaphores", find_semaphores, NULL},
    {"leftovers", "find a System V message queue", find_messages, NULL},
    {"leftovers", "find a POSIX message queue", find_queue, NULL},
    {"leftovers", "find a key", find_key, NULL},
    {"leftovers", "find a lock on a file of /usr", find_lock, NULL},
    {"leftovers", "find a record lock on a file of /usr", find_record_lock, NULL},
    {"leftovers", "find an abstract unix socket", find_socket, NULL},
    {"leftovers", "find a port that is listened on", find_port, NULL},
    {"leftovers", "find a process", find_process, NULL},
};

struct probes leftover_probes(void) { return PROBES(probes); }
