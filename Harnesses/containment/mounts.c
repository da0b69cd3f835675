// Probes that change mounts and the root directory.
#define _GNU_SOURCE
#include "probe.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// From <sys/mount.h>, which older C libraries cannot include together with <linux/mount.h>.
int mount(const char *, const char *, const char *, unsigned long, const void *);
int umount2(const char *, int);
enum { REMOUNT = 32, BIND = 4096, RECURSIVE = 16384, PRIVATE = 1 << 18, DETACH = 2 };

static const char *make_directory(void) {
    mkdir("directory", 0700);
    return "directory";
}

static int mount_new(const char *type) { return outcome(mount(type, make_directory(), type, 0, NULL)); }
static int mount_bind(const char *source) {
    return outcome(mount(source, make_directory(), NULL, BIND | RECURSIVE, NULL));
}
static int mount_again(const char *target) { return outcome(mount(NULL, target, NULL, REMOUNT | BIND, NULL)); }
static int mount_private(const char *target) { return outcome(mount(NULL, target, NULL, RECURSIVE | PRIVATE, NULL)); }

static int unmount(const char *target) {
    // Outside, the probe unmounts a mount of its own.
    if (mount("tmpfs", make_directory(), "tmpfs", 0, NULL) == 0) target = "directory";
    return outcome(umount2(target, DETACH));
}

static int change_root(const char *path) { return outcome(chroot(path)); }

// The classic escape from a chroot: keeps a directory open across a second chroot.
static int leave_root(const char *path) {
    int outside = open(path, O_RDONLY | O_DIRECTORY);
    if (chroot(make_directory()) < 0) return errno;
    if (fchdir(outside) < 0) return errno;
    for (int i = 0; i < 64; i++)
        if (chdir("..") < 0) return errno;
    return outcome(chroot("."));
}

static int turn_root(const char *ignored) {
    (void)ignored;
    const char *root = make_directory();
    // Outside, the directory must be a mount first. Inside, the mount fails and the probe continues.
    mount("tmpfs", root, "tmpfs", 0, NULL);
    mkdir("directory/old", 0700);
    return outcome(syscall(SYS_pivot_root, root, "directory/old"));
}

static int open_file_system(const char *type) { return outcome(syscall(SYS_fsopen, type, 0)); }

static int move(const char *type) {
    int file_system = (int)syscall(SYS_fsopen, type, 0);
    if (file_system < 0) return errno;
    if (syscall(SYS_fsconfig, file_system, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) return errno;
    int tree = (int)syscall(SYS_fsmount, file_system, 0, 0);
    if (tree < 0) return errno;
    return outcome(syscall(SYS_move_mount, tree, "", AT_FDCWD, make_directory(), MOVE_MOUNT_F_EMPTY_PATH));
}

static int move_tree(const char *path) {
    int tree = (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE);
    if (tree < 0) return errno;
    return outcome(syscall(SYS_move_mount, tree, "", AT_FDCWD, make_directory(), MOVE_MOUNT_F_EMPTY_PATH));
}

static int clone_tree(const char *path) { return outcome(syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE)); }
static int pick(const char *path) { return outcome(syscall(SYS_fspick, AT_FDCWD, path, 0)); }

// Outside, the root is already writable, so nothing changes there.
static int make_writable(const char *path) {
    struct mount_attr wanted = {.attr_clr = MOUNT_ATTR_RDONLY};
    return outcome(syscall(SYS_mount_setattr, AT_FDCWD, path, 0, &wanted, sizeof wanted));
}

static const struct probe probes[] = {
    {"mounts", "mount a tmpfs", mount_new, "tmpfs"},
    {"mounts", "mount a procfs", mount_new, "proc"},
    {"mounts", "mount a sysfs", mount_new, "sysfs"},
    {"mounts", "mount a ramfs", mount_new, "ramfs"},
    {"mounts", "mount control groups", mount_new, "cgroup2"},
    {"mounts", "mount the devices", mount_new, "devtmpfs"},
    {"mounts", "bind /", mount_bind, "/"},
    {"mounts", "bind /proc", mount_bind, "/proc"},
    {"mounts", "mount / again without its restrictions", mount_again, "/"},
    {"mounts", "change how / propagates", mount_private, "/"},
    {"mounts", "unmount", unmount, "/tmp"},
    {"mounts", "chroot", change_root, "."},
    {"mounts", "chroot to /proc/self/root", change_root, "/proc/self/root"},
    {"mounts", "leave a chroot", leave_root, "."},
    {"mounts", "pivot_root", turn_root, NULL},
    {"mounts", "fsopen", open_file_system, "tmpfs"},
    {"mounts", "fsopen, fsmount and move_mount", move, "tmpfs"},
    {"mounts", "open_tree", clone_tree, "/"},
    {"mounts", "open_tree and move_mount", move_tree, "/"},
    {"mounts", "fspick", pick, "/"},
    {"mounts", "mount_setattr", make_writable, "/"},
};

struct probes mount_probes(void) { return PROBES(probes); }
