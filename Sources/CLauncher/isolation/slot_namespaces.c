#include "slot_namespaces.h"

#include "../descriptors.h"
#include "../set_up_calls.h"
#include "identity.h"
#include "root.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>

// MARK: Creation

static const struct sandglass_slot_namespaces no_namespaces = {-1, -1, -1, {-1, -1}};

enum { NETWORK_FILES_BEGIN = 3, NAMESPACE_DESCRIPTORS = NETWORK_FILES_BEGIN + SANDGLASS_NETWORK_FILES };

static int open_own(int proc, const char *path) { return openat(proc, path, O_RDONLY | O_CLOEXEC); }

// ENODEV means a kernel without message queues. The result is then the empty directory.
static int open_queues(const struct sandglass_plan *plan) {
    const char *directory = sandglass_root_queues_path();
    if (sandglass_mount(plan, "mqueue", directory, "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0 && errno != ENODEV) return -1;
    return open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

// Runs with a pid namespace and mounts of its own, so that it sees itself in its /proc.
static _Noreturn void make(const struct sandglass_plan *plan, uint32_t slot, int reply) {
    int proc = -1, made[NAMESPACE_DESCRIPTORS] = {-1, -1, -1, -1, -1};
    struct sandglass_failure failure = sandglass_root_add_proc(plan);
    if (!failure.step && (proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
        failure = sandglass_failed(SANDGLASS_STEP_PROC, 0);
    if (!failure.step && ((made[1] = open_own(proc, "self/ns/ipc")) < 0 || (made[2] = open_queues(plan)) < 0))
        failure = sandglass_failed(SANDGLASS_STEP_CLONE, 0);
    if (!failure.step && sandglass_network_is_kept(plan)) sandglass_network_start_loopback();
    for (int i = 0; !failure.step && i < SANDGLASS_NETWORK_FILES; i++) {
        made[NETWORK_FILES_BEGIN + i] = sandglass_network_open_file(proc, i);
        if (made[NETWORK_FILES_BEGIN + i] < 0) failure = sandglass_failed(SANDGLASS_STEP_NETWORK, 3);
    }
    if (!failure.step) failure = sandglass_identity_change_user(plan, slot);
    if (!failure.step) failure = sandglass_identity_make_user_namespace(plan, slot, proc);
    if (!failure.step && (made[0] = open_own(proc, "self/ns/user")) < 0)
        failure = sandglass_failed(SANDGLASS_STEP_USER_NAMESPACE, 0);
    sandglass_send_descriptors(reply, &failure, sizeof failure, made, failure.step ? 0 : NAMESPACE_DESCRIPTORS);
    _exit(0);
}

static struct sandglass_failure receive(
    const struct sandglass_plan *plan, int socket, struct sandglass_slot_namespaces *namespaces
) {
    struct sandglass_failure failure;
    int made[NAMESPACE_DESCRIPTORS];
    ssize_t received = sandglass_receive(socket, &failure, sizeof failure, made, NAMESPACE_DESCRIPTORS);
    if (received >= 0) errno = ECHILD;
    // The process was killed before it replied.
    if (received != sizeof failure) failure = sandglass_failed(SANDGLASS_STEP_USER_NAMESPACE, 1);
    bool is_complete = true;
    for (int i = 0; i < NAMESPACE_DESCRIPTORS; i++) {
        made[i] = sandglass_move_above_fixed(plan, made[i]);
        is_complete = is_complete && made[i] >= 0;
    }
    *namespaces = (struct sandglass_slot_namespaces){
        made[0], made[1], made[2], {made[NETWORK_FILES_BEGIN], made[NETWORK_FILES_BEGIN + 1]}
    };
    if (!failure.step && !is_complete) failure = sandglass_failed(SANDGLASS_STEP_USER_NAMESPACE, 2);
    if (failure.step) sandglass_slot_namespaces_close(namespaces);
    return failure;
}

// Async-signal-safe, like every function in this file.
struct sandglass_failure sandglass_slot_namespaces_make(
    const struct sandglass_plan *plan, uint32_t slot, struct sandglass_slot_namespaces *namespaces
) {
    int ends[2];
    *namespaces = no_namespaces;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return sandglass_failed(SANDGLASS_STEP_USER_NAMESPACE, 3);
    pid_t maker = sandglass_clone3(plan, CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC, -1);
    if (maker == 0) make(plan, slot, ends[1]);
    struct sandglass_failure failure = sandglass_failed(SANDGLASS_STEP_CLONE, -1);
    close(ends[1]);
    if (maker > 0) {
        failure = receive(plan, ends[0], namespaces);
        while (waitpid(maker, NULL, 0) < 0 && errno == EINTR) {}
    }
    close(ends[0]);
    return failure;
}

void sandglass_slot_namespaces_close(struct sandglass_slot_namespaces *namespaces) {
    if (namespaces->user >= 0) close(namespaces->user);
    if (namespaces->ipc >= 0) close(namespaces->ipc);
    if (namespaces->queues >= 0) close(namespaces->queues);
    for (int i = 0; i < SANDGLASS_NETWORK_FILES; i++)
        if (namespaces->network[i] >= 0) close(namespaces->network[i]);
    *namespaces = no_namespaces;
}

// MARK: Entry

int sandglass_slot_namespaces_enter_ipc(const struct sandglass_plan *plan, int file) {
    return sandglass_enter_namespace(plan, file, CLONE_NEWIPC);
}

struct sandglass_failure sandglass_slot_namespaces_enter_user(const struct sandglass_plan *plan, int file) {
    if (sandglass_enter_namespace(plan, file, CLONE_NEWUSER) < 0 || close(file) < 0)
        return sandglass_failed(SANDGLASS_STEP_USER_NAMESPACE, -1);
    return sandglass_no_failure();
}

// MARK: Inspection

// Returns whether a system call reported a count of 0. On a kernel without that kind of object the count is 0 too.
static bool is_zero_count(long result, int count) { return result < 0 ? errno == ENOSYS : count == 0; }

static bool is_empty_directory(int directory) {
    // "." and ".." come first; 512 bytes hold a third entry too.
    struct {
        _Alignas(struct dirent64) char bytes[512];
    } entries;
    if (lseek(directory, 0, SEEK_SET) < 0) return false;
    long length = syscall(SYS_getdents64, directory, &entries, sizeof entries);
    for (long at = 0; at < length;) {
        const struct dirent64 *entry = (const void *)(entries.bytes + at);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) return false;
        at += entry->d_reclen;
    }
    return length >= 0;
}

static bool is_empty_ipc(int queues) {
    struct shm_info segments = {0};
    struct msginfo messages = {0};
    struct seminfo semaphores = {0};
    // The number of objects (shmctl(2), msgctl(2), semctl(2)). Objects that wait to be removed with their last user
    // are counted too.
    long result = syscall(SYS_shmctl, 0, SHM_INFO, &segments);
    if (!is_zero_count(result, segments.used_ids)) return false;
    result = syscall(SYS_msgctl, 0, MSG_INFO, &messages);
    if (!is_zero_count(result, messages.msgpool)) return false;
    result = syscall(SYS_semctl, 0, 0, SEM_INFO, &semaphores);
    if (!is_zero_count(result, semaphores.semusz)) return false;
    return is_empty_directory(queues);
}

bool sandglass_slot_namespaces_have_empty_ipc(const struct sandglass_slot_namespaces *namespaces) {
    return is_empty_ipc(namespaces->queues);
}

bool sandglass_slot_namespaces_are_unused(
    const struct sandglass_plan *plan, const struct sandglass_slot_namespaces *namespaces
) {
    // A network that is not kept is made anew in each slot.
    return is_empty_ipc(namespaces->queues)
        && (!sandglass_network_is_kept(plan)
            || sandglass_network_is_unused(
                namespaces->network[SANDGLASS_NETWORK_SOCKETS], namespaces->network[SANDGLASS_NETWORK_TRAFFIC]
            ));
}
