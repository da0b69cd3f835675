#include "lease.h"

#include "descriptors.h"
#include "identity.h"
#include "root.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>

// MARK: Making

enum { LEASED = 3 };

static int open_own(int proc, const char *path) { return openat(proc, path, O_RDONLY | O_CLOEXEC); }

// ENODEV: a kernel without them. Then this is the empty folder where they would be.
static int open_queues(void) {
    const char *folder = sandglass_root_queues();
    if (mount("mqueue", folder, "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0 && errno != ENODEV) return -1;
    return open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

// With a pid namespace and mounts of its own, for a /proc in which it is itself.
static _Noreturn void make(const struct sandglass_plan *plan, uint32_t slot, int answer) {
    int proc = -1, made[LEASED] = {-1, -1, -1};
    struct sandglass_failure failure = sandglass_root_add_proc();
    if (!failure.step && (proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
        failure = sandglass_failed(SANDGLASS_STEP_PROC, 0);
    if (!failure.step && ((made[1] = open_own(proc, "self/ns/ipc")) < 0 || (made[2] = open_queues()) < 0))
        failure = sandglass_failed(SANDGLASS_STEP_CLONE, 0);
    if (!failure.step) failure = sandglass_identity_change_user(plan, slot);
    if (!failure.step) failure = sandglass_identity_make_user_namespace(plan, slot, proc);
    if (!failure.step && (made[0] = open_own(proc, "self/ns/user")) < 0)
        failure = sandglass_failed(SANDGLASS_STEP_USER_NAMESPACE, 0);
    sandglass_send_with(answer, &failure, sizeof failure, made, failure.step ? 0 : LEASED);
    _exit(0);
}

static struct sandglass_failure receive(
    const struct sandglass_plan *plan, int socket, struct sandglass_lease *lease
) {
    struct sandglass_failure failure;
    int made[LEASED];
    ssize_t received = sandglass_receive(socket, &failure, sizeof failure, made, LEASED);
    if (received >= 0) errno = ECHILD;
    // It was killed.
    if (received != sizeof failure) failure = sandglass_failed(SANDGLASS_STEP_USER_NAMESPACE, 1);
    *lease = (struct sandglass_lease){
        sandglass_move_away(plan, made[0]),
        sandglass_move_away(plan, made[1]),
        sandglass_move_away(plan, made[2]),
    };
    if (!failure.step && (lease->user < 0 || lease->ipc < 0 || lease->queues < 0))
        failure = sandglass_failed(SANDGLASS_STEP_USER_NAMESPACE, 2);
    if (failure.step) sandglass_lease_end(lease);
    return failure;
}

// Async-signal-safe, like all of this.
struct sandglass_failure sandglass_lease_make(
    const struct sandglass_plan *plan, uint32_t slot, struct sandglass_lease *lease
) {
    int ends[2];
    *lease = (struct sandglass_lease){-1, -1, -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return sandglass_failed(SANDGLASS_STEP_USER_NAMESPACE, 3);
    pid_t maker = sandglass_clone3(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC, -1);
    if (maker == 0) make(plan, slot, ends[1]);
    struct sandglass_failure failure = sandglass_failed(SANDGLASS_STEP_CLONE, -1);
    close(ends[1]);
    if (maker > 0) {
        failure = receive(plan, ends[0], lease);
        while (waitpid(maker, NULL, 0) < 0 && errno == EINTR) {}
    }
    close(ends[0]);
    return failure;
}

void sandglass_lease_end(struct sandglass_lease *lease) {
    if (lease->user >= 0) close(lease->user);
    if (lease->ipc >= 0) close(lease->ipc);
    if (lease->queues >= 0) close(lease->queues);
    *lease = (struct sandglass_lease){-1, -1, -1};
}

// MARK: Entering

int sandglass_lease_enter_ipc(int file) { return (int)syscall(SYS_setns, file, CLONE_NEWIPC); }

struct sandglass_failure sandglass_lease_enter_user(int file) {
    if (syscall(SYS_setns, file, CLONE_NEWUSER) < 0 || close(file) < 0)
        return sandglass_failed(SANDGLASS_STEP_USER_NAMESPACE, -1);
    return sandglass_no_failure();
}

// MARK: Looking

// Whether a call that is to fill in a count was answered with none; a kernel without that kind of object has none either.
static bool counts_none(long result, int count) { return result < 0 ? errno == ENOSYS : count == 0; }

static bool has_no_entries(int folder) {
    // The first two are "." and "..": a third would be here too.
    struct { _Alignas(struct dirent64) char bytes[512]; } entries;
    if (lseek(folder, 0, SEEK_SET) < 0) return false;
    long length = syscall(SYS_getdents64, folder, &entries, sizeof entries);
    for (long at = 0; at < length;) {
        const struct dirent64 *entry = (const void *)(entries.bytes + at);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) return false;
        at += entry->d_reclen;
    }
    return length >= 0;
}

bool sandglass_lease_is_empty(int queues) {
    struct shm_info segments = {0};
    struct msginfo messages = {0};
    struct seminfo semaphores = {0};
    // How many there are (shmctl(2), msgctl(2), semctl(2)). What waits to be removed with its last user is counted too.
    long result = syscall(SYS_shmctl, 0, SHM_INFO, &segments);
    if (!counts_none(result, segments.used_ids)) return false;
    result = syscall(SYS_msgctl, 0, MSG_INFO, &messages);
    if (!counts_none(result, messages.msgpool)) return false;
    result = syscall(SYS_semctl, 0, 0, SEM_INFO, &semaphores);
    if (!counts_none(result, semaphores.semusz)) return false;
    return has_no_entries(queues);
}
