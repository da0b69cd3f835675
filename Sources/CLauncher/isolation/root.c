#include "root.h"

#include "../descriptors.h"
#include "../set_up_calls.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

// The mount point of the host's file system while the new root is being built.
#define HOST "/.host"
// Any directory that exists everywhere will do: the new root covers it only until pivot_root(2).
static const char staging[] = "/tmp";

static int restrict_mount(const struct sandglass_plan *plan, const char *path, uint64_t attributes, bool recursive) {
    return sandglass_restrict_mount(plan, AT_FDCWD, path, recursive ? AT_RECURSIVE : 0, attributes);
}

static int host_path(char *path, const char *source) {
    if (strlen(HOST) + strlen(source) >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    sandglass_append_text(sandglass_append_text(path, HOST), source);
    return 0;
}

static int make_file(const char *path, uint32_t mode, const void *contents, size_t length) {
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (file < 0) return -1;
    size_t done = 0;
    while (done < length) {
        ssize_t written = write(file, (const char *)contents + done, length - done);
        if (written < 0) break;
        done += (size_t)written;
    }
    int error = errno;
    close(file);
    errno = error;
    return done == length ? 0 : -1;
}

static int make_bind(const struct sandglass_plan *plan, const char *source, const char *target, uint64_t attributes) {
    char path[PATH_MAX];
    if (host_path(path, source) < 0) return -1;
    // The bind is recursive, because a user namespace must not reveal a mount without the mounts that cover parts of
    // it. AT_SYMLINK_NOFOLLOW is set, because the owner may have replaced the path by a link to other files since the
    // plan was made.
    const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW;
    int tree = (int)syscall(SYS_open_tree, AT_FDCWD, path, flags);
    if (tree < 0) return -1;
    int result = (int)syscall(SYS_move_mount, tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH);
    int error = errno;
    close(tree);
    errno = error;
    return result < 0 ? -1 : restrict_mount(plan, target, attributes, true);
}

static int make_device(const struct sandglass_plan *plan, const struct sandglass_entry *entry) {
    char path[PATH_MAX];
    struct stat status;
    if (host_path(path, entry->source) < 0 || stat(path, &status) < 0) return -1;
    if (S_ISCHR(status.st_mode) && mknod(entry->target, S_IFCHR | 0666, status.st_rdev) == 0) return 0;
    // The user namespace of an ordinary user may not make device nodes, nor may some containers. An additional mount
    // costs every run microseconds.
    if (make_file(entry->target, 0666, NULL, 0) < 0) return -1;
    return make_bind(plan, entry->source, entry->target, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
}

static int make_entry(const struct sandglass_plan *plan, const struct sandglass_entry *entry) {
    switch (entry->kind) {
    case SANDGLASS_ENTRY_DIRECTORY: return mkdir(entry->target, entry->mode);
    case SANDGLASS_ENTRY_DEVICE_DIRECTORY:
        if (mkdir(entry->target, 0755) < 0) return -1;
        return sandglass_mount(plan, "sandglass", entry->target, "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=0755,size=64k,nr_inodes=64");
    case SANDGLASS_ENTRY_BIND:
        if (mkdir(entry->target, 0755) < 0) return -1;
        return make_bind(plan, entry->source, entry->target, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    case SANDGLASS_ENTRY_BIND_FILE:
        if (make_file(entry->target, 0644, NULL, 0) < 0) return -1;
        return make_bind(plan, entry->source, entry->target, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    case SANDGLASS_ENTRY_DEVICE: return make_device(plan, entry);
    case SANDGLASS_ENTRY_FILE: return make_file(entry->target, entry->mode, entry->contents, entry->length);
    case SANDGLASS_ENTRY_SYMBOLIC_LINK: return symlink(entry->source, entry->target);
    default: errno = EINVAL; return -1;
    }
}

static int enter_new_root(const struct sandglass_plan *plan) {
    // Mounts made here must not appear on the host, and the host's must not appear here.
    if (sandglass_mount(plan, NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) return -1;
    if (sandglass_mount(plan, "sandglass", staging, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=16m") < 0) return -1;
    if (chdir(staging) < 0) return -1;
    if (mkdir("." HOST, 0700) < 0) return -1;
    if (syscall(SYS_pivot_root, ".", "." HOST) < 0) return -1;
    return chdir("/");
}

static int leave_host(const struct sandglass_plan *plan) {
    if (sandglass_unmount(plan, HOST, MNT_DETACH) < 0) return -1;
    if (rmdir(HOST) < 0) return -1;
    return restrict_mount(plan, "/", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, false);
}

// Returns a mount of the root file system alone that can be written to and that is in no namespace, or -1.
static int open_view(const struct sandglass_plan *plan) {
    const uint64_t attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    int view = (int)syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (view < 0 || sandglass_restrict_mount(plan, view, "", AT_EMPTY_PATH, attributes) == 0) return view;
    close(view);
    return -1;
}

// Returns whether an entry is in a directory of package files.
static bool is_package_file(const struct sandglass_entry *entry) {
    static const char directories[][16] = {"/etc", "/var/lib"};
    for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++) {
        size_t length = strlen(directories[i]);
        if (strncmp(entry->target, directories[i], length) == 0
            && (entry->target[length] == '/' || entry->target[length] == '\0'))
            return true;
    }
    return false;
}

// Gives the entries that copy package files to the server.
static int give_to_server(const struct sandglass_plan *plan) {
    for (uint32_t i = 0; i < plan->entry_count; i++) {
        const struct sandglass_entry *entry = &plan->entries[i];
        if ((entry->kind != SANDGLASS_ENTRY_DIRECTORY && entry->kind != SANDGLASS_ENTRY_FILE)
            || !is_package_file(entry))
            continue;
        if (syscall(SYS_fchownat, AT_FDCWD, entry->target, plan->view_owner, plan->view_owner, AT_SYMLINK_NOFOLLOW) < 0)
            return -1;
    }
    return 0;
}

static struct sandglass_failure build(
    const struct sandglass_plan *plan, const struct sandglass_entry *entries, uint32_t count, bool keep_host_proc
) {
    if (enter_new_root(plan) < 0) return sandglass_failed(SANDGLASS_STEP_ROOT, -1);
    for (uint32_t i = 0; i < count; i++) {
        // A package manager may have removed the directory since the plan was made.
        if (make_entry(plan, &entries[i]) < 0 && !(errno == ENOENT && is_package_file(&entries[i])))
            return sandglass_failed(SANDGLASS_STEP_ROOT_ENTRY, (int32_t)i);
    }
    // The kernel lets a user namespace mount a procfs only where a complete one is already visible
    // (user_namespaces(7)). Therefore the host's procfs has to stay, and each slot covers it with its own.
    if (keep_host_proc && sandglass_mount(plan, HOST "/proc", "/proc", NULL, MS_BIND | MS_REC, NULL) < 0)
        return sandglass_failed(SANDGLASS_STEP_ROOT, -1);
    for (uint32_t i = 0; i < count; i++) {
        if (entries[i].kind == SANDGLASS_ENTRY_DEVICE_DIRECTORY
            && restrict_mount(plan, entries[i].target, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, false) < 0)
            return sandglass_failed(SANDGLASS_STEP_ROOT_ENTRY, (int32_t)i);
    }
    if (leave_host(plan) < 0) return sandglass_failed(SANDGLASS_STEP_PIVOT_ROOT, -1);
    return sandglass_no_failure();
}

// Opens this process's mount namespace.
static int open_namespace(int proc) { return openat(proc, "self/ns/mnt", O_RDONLY | O_CLOEXEC); }

static struct sandglass_failure build_image(
    const struct sandglass_plan *plan, uint32_t index, int proc, int host, bool keep_host_proc
) {
    const struct sandglass_image *image = &plan->images[index];
    int number = (int)index + 1;
    if (sandglass_unshare(plan, CLONE_NEWNS) < 0) return sandglass_failed(SANDGLASS_STEP_IMAGE, number);
    struct sandglass_failure failure = build(plan, image->entries, image->entry_count, keep_host_proc);
    if (!failure.step && restrict_mount(plan, "/", MOUNT_ATTR_RDONLY, false) < 0)
        failure = sandglass_failed(SANDGLASS_STEP_ROOT, -1);
    if (failure.step) {
        failure.step = SANDGLASS_STEP_IMAGE;
        failure.index = number;
        return failure;
    }
    int own = sandglass_move_above_fixed(plan, open_namespace(proc));
    if (own < 0 || dup3(own, SANDGLASS_IMAGES_BEGIN + (int)index, O_CLOEXEC) < 0 || close(own) < 0
        || sandglass_enter_namespace(plan, host, CLONE_NEWNS) < 0)
        return sandglass_failed(SANDGLASS_STEP_IMAGE, number);
    return sandglass_no_failure();
}

static struct sandglass_failure build_images(const struct sandglass_plan *plan, bool keep_host_proc) {
    if (plan->image_count == 0) return sandglass_no_failure();
    int proc = sandglass_move_above_fixed(plan, open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
    int host = sandglass_move_above_fixed(plan, open_namespace(proc));
    if (proc < 0 || host < 0) return sandglass_failed(SANDGLASS_STEP_IMAGE, -1);
    struct sandglass_failure failure = sandglass_no_failure();
    for (uint32_t i = 0; i < plan->image_count && !failure.step; i++)
        failure = build_image(plan, i, proc, host, keep_host_proc);
    close(proc);
    close(host);
    return failure;
}

// Async-signal-safe.
struct sandglass_failure sandglass_root_build(const struct sandglass_plan *plan, bool keep_host_proc, int *view) {
    *view = -1;
    struct sandglass_failure failure = build_images(plan, keep_host_proc);
    if (!failure.step) failure = build(plan, plan->entries, plan->entry_count, keep_host_proc);
    if (failure.step) return failure;
    if (plan->view_owner != 0 && give_to_server(plan) < 0) return sandglass_failed(SANDGLASS_STEP_ROOT, -1);
    *view = sandglass_move_above_fixed(plan, open_view(plan));
    if (restrict_mount(plan, "/", MOUNT_ATTR_RDONLY, false) < 0) return sandglass_failed(SANDGLASS_STEP_ROOT, -1);
    return failure;
}

// Async-signal-safe.
struct sandglass_failure sandglass_root_enter_image(const struct sandglass_plan *plan, uint32_t image) {
    if (image == 0) return sandglass_no_failure();
    if (sandglass_enter_namespace(plan, SANDGLASS_IMAGES_BEGIN + (int)image - 1, CLONE_NEWNS) < 0
        || sandglass_unshare(plan, CLONE_NEWNS) < 0)
        return sandglass_failed(SANDGLASS_STEP_IMAGE, (int32_t)image);
    return sandglass_no_failure();
}

// An empty directory of the read-only root: other mounts cover it only later.
static const char empty_directory[] = "/dev/mqueue";

static const char proc[] = "/proc";

// Async-signal-safe.
struct sandglass_failure sandglass_root_add_proc(const struct sandglass_plan *plan) {
    if (sandglass_mount(plan, "proc", proc, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        return sandglass_failed(SANDGLASS_STEP_PROC, -1);
    return sandglass_no_failure();
}

// Async-signal-safe.
struct sandglass_failure sandglass_root_restrict_proc(const struct sandglass_plan *plan) {
    if (plan->proc_is_writable) return sandglass_no_failure();
    if (restrict_mount(plan, proc, MOUNT_ATTR_RDONLY, false) < 0) return sandglass_failed(SANDGLASS_STEP_PROC, -1);
    for (uint32_t i = 0; i < plan->mask_count; i++) {
        const struct sandglass_mask *mask = &plan->masks[i];
        // A path that disappeared with its kernel module needs no mask.
        if (sandglass_mount(plan, mask->is_directory ? empty_directory : "/dev/null", mask->path, NULL, MS_BIND, NULL) < 0
            && errno != ENOENT)
            return sandglass_failed(SANDGLASS_STEP_PROC, (int32_t)i);
    }
    return sandglass_no_failure();
}

enum { SCRATCH_DIRECTORIES = 3 };

// The directories of the run's own file system.
static const struct {
    char directory[16]; // an array, because constants with pointers are not available (memory.h)
    char target[16];
    mode_t mode;
    uint64_t attributes; // in addition to those of the file system, which bind mounts share
} scratch[SCRATCH_DIRECTORIES] = {
    {"/tmp/box", "/box", 0755, 0},
    {"/tmp/shm", "/dev/shm", 01777, MOUNT_ATTR_NOEXEC},
    // /tmp is the last entry, because it covers the other directories. They are then reached only through their own
    // mounts.
    {"/tmp/tmp", "/tmp", 01777, 0},
};

// The run's message queues (mq_overview(7)). Landlock needs a path to allow; otherwise mq_open(3) could open none.
static const char queues[] = "/dev/mqueue";

// Async-signal-safe.
const char *sandglass_root_queues_path(void) { return queues; }

// Async-signal-safe.
const char *sandglass_root_writable_path(uint32_t index) {
    return index < SCRATCH_DIRECTORIES ? scratch[index].target : queues;
}

// Async-signal-safe.
struct sandglass_failure sandglass_root_add_scratch(
    const struct sandglass_plan *plan, uint64_t bytes, uint32_t host_user
) {
    char options[128];
    char *at = sandglass_append_text(options, "mode=0755,size=");
    at = sandglass_append_number(at, bytes);
    at = sandglass_append_text(at, ",nr_inodes=");
    at = sandglass_append_number(at, plan->scratch_inodes);
    at = sandglass_append_text(at, ",uid=");
    at = sandglass_append_number(at, host_user);
    at = sandglass_append_text(at, ",gid=");
    sandglass_append_number(at, host_user);
    if (sandglass_mount(plan, "tmpfs", staging, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0)
        return sandglass_failed(SANDGLASS_STEP_SCRATCH, -1);
    for (size_t i = 0; i < SCRATCH_DIRECTORIES; i++) {
        if (mkdir(scratch[i].directory, scratch[i].mode) < 0
            || sandglass_mount(plan, scratch[i].directory, scratch[i].target, NULL, MS_BIND, NULL) < 0
            || (scratch[i].attributes && restrict_mount(plan, scratch[i].target, scratch[i].attributes, false) < 0))
            return sandglass_failed(SANDGLASS_STEP_SCRATCH, (int32_t)i);
    }
    // ENODEV means a kernel without message queues.
    if (sandglass_mount(plan, "mqueue", queues, "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0 && errno != ENODEV)
        return sandglass_failed(SANDGLASS_STEP_SCRATCH, SCRATCH_DIRECTORIES);
    // The run's own pseudo-terminals (pts(4)). ENODEV means a kernel without them.
    if (sandglass_mount(plan, "devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0600,max=64") < 0
        && errno != ENODEV)
        return sandglass_failed(SANDGLASS_STEP_SCRATCH, SCRATCH_DIRECTORIES + 1);
    return sandglass_no_failure();
}
