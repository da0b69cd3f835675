// Probes that read files of the host, and probes that write outside the run's own directories.
#define _GNU_SOURCE
#include "probe.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

// MARK: Reading

static int can_open(const char *path, int flags) {
    int file = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0) return errno;
    close(file);
    return 0;
}

static int open_to_read(const char *path) { return can_open(path, O_RDONLY); }
static int open_to_write(const char *path) { return can_open(path, O_WRONLY); }

static int read_secret(const char *ignored) {
    (void)ignored;
    return open_to_read(context.secret);
}

// Climbs up from a descriptor of the current directory.
static int climb(const char *beneath) {
    char path[PATH_MAX];
    int directory = open(".", O_RDONLY | O_DIRECTORY);
    if (directory < 0) return errno;
    snprintf(path, sizeof path, "/proc/self/fd/%d/../../../../../..%s", directory, beneath);
    return open_to_read(path);
}

static int climb_at(const char *beneath) {
    char path[PATH_MAX];
    int directory = open(".", O_RDONLY | O_DIRECTORY);
    if (directory < 0) return errno;
    snprintf(path, sizeof path, "../../../../../..%s", beneath);
    int file = openat(directory, path, O_RDONLY);
    return outcome(file);
}

// Looks for a descriptor that the parent process left open.
static int inherit(const char *ignored) {
    (void)ignored;
    DIR *directory = opendir("/proc/self/fd");
    if (!directory) return errno;
    int result = REFUSED;
    for (struct dirent *entry; (entry = readdir(directory));) {
        char path[PATH_MAX], target[PATH_MAX] = {0};
        int number = atoi(entry->d_name);
        if (number < 3 || number == dirfd(directory)) continue;
        snprintf(path, sizeof path, "/proc/self/fd/%d", number);
        // The pipe belongs to this program.
        if (readlink(path, target, sizeof target - 1) > 0 && strncmp(target, "pipe:", 5)) result = 0;
    }
    closedir(directory);
    return result;
}

// Looks for an address of the kernel or of physical memory. The kernel shows zeros to unprivileged readers.
static int read_addresses(const char *path) {
    FILE *file = fopen(path, "re");
    if (!file) return errno;
    char line[512];
    int result = REFUSED;
    while (result && fgets(line, sizeof line, file)) {
        if (strspn(line, " 0-") < 8 && strchr("123456789abcdef", line[strspn(line, " 0-")])) result = 0;
    }
    fclose(file);
    return result;
}

static int find_block_device(const char *ignored) {
    (void)ignored;
    DIR *directory = opendir("/dev");
    if (!directory) return errno;
    int result = REFUSED;
    for (struct dirent *entry; result && (entry = readdir(directory));) {
        struct stat status;
        if (fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISBLK(status.st_mode))
            continue;
        int device = openat(dirfd(directory), entry->d_name, O_RDONLY | O_NONBLOCK);
        if (device >= 0) result = 0;
    }
    closedir(directory);
    return result;
}

// The directories of version 2 and of some hierarchies of version 1.
static const char *const groups[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/cpu", NULL};

// Looks for a group below the one that is shown.
static int find_group(const char *ignored) {
    (void)ignored;
    int result = REFUSED;
    for (size_t i = 0; groups[i]; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/cgroup.procs", groups[i]);
        DIR *directory = access(path, F_OK) == 0 ? opendir(groups[i]) : NULL;
        if (!directory) continue;
        for (struct dirent *entry; (entry = readdir(directory));)
            if (entry->d_type == DT_DIR && entry->d_name[0] != '.') result = 0;
        closedir(directory);
    }
    return result;
}

static int make_group(const char *ignored) {
    (void)ignored;
    int result = ENOENT;
    for (size_t i = 0; groups[i]; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/cgroup.procs", groups[i]);
        if (access(path, F_OK) < 0) continue;
        snprintf(path, sizeof path, "%s/.containment-probe-%d", groups[i], (int)getpid());
        result = outcome(mkdir(path, 0755));
        rmdir(path);
        if (result == 0) break;
    }
    return result;
}

// MARK: Writing

static int make_in(const char *directory) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/.containment-probe-%d", directory, (int)getpid());
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (file < 0) return errno;
    unlink(path);
    return 0;
}

// Makes a file without a name.
static int make_nameless_in(const char *directory) { return outcome(open(directory, O_TMPFILE | O_WRONLY, 0600)); }

static int write_to_first(const char *paths) {
    char list[1024];
    snprintf(list, sizeof list, "%s", paths);
    int result = ENOENT;
    for (char *path = strtok(list, " "); path; path = strtok(NULL, " ")) {
        int error = open_to_write(path);
        if (error == 0) return 0;
        if (error != ENOENT) result = error;
    }
    return result;
}

// Links an existing file, so that nothing new is made where this is allowed.
static int link_from_outside(const char *path) {
    char name[64];
    snprintf(name, sizeof name, "/tmp/.containment-probe-%d", (int)getpid());
    // AT_SYMLINK_FOLLOW is not set: a symbolic link in place of a hard link would follow the mounts, and this probe
    // is not about reading.
    if (linkat(AT_FDCWD, path, AT_FDCWD, name, 0) < 0) return errno;
    unlink(name);
    return 0;
}

// MARK: Devices

static int make_device(const char *what) {
    unsigned major_number, minor_number;
    char kind;
    if (sscanf(what, "%c %u %u", &kind, &major_number, &minor_number) != 3) return EINVAL;
    mode_t type = kind == 'b' ? S_IFBLK : S_IFCHR;
    unlink("device");
    if (mknod("device", type | 0600, makedev(major_number, minor_number)) < 0) return errno;
    unlink("device");
    return 0;
}

static const struct probe probes[] = {
    {"files", "open /etc/shadow", open_to_read, "/etc/shadow"},
    {"files", "open /root", open_to_read, "/root"},
    {"files", "open /boot", open_to_read, "/boot"},
    {"files", "open /home", open_to_read, "/home"},
    {"files", "open /var/lib/dpkg/status", open_to_read, "/var/lib/dpkg/status"},
    {"files", "open /etc/ssl/private", open_to_read, "/etc/ssl/private"},
    {"files", "open a file of the data directory", read_secret, NULL},
    {"files", "climb out through /proc/self/fd", climb, "/etc/shadow"},
    {"files", "climb out with openat", climb_at, "/etc/shadow"},
    {"files", "find a descriptor that was left open", inherit, NULL},
    {"files", "open /proc/kcore", open_to_read, "/proc/kcore"},
    {"files", "open /proc/kmsg", open_to_read, "/proc/kmsg"},
    {"files", "open /dev/kmsg", open_to_read, "/dev/kmsg"},
    {"files", "open /dev/mem", open_to_read, "/dev/mem"},
    {"files", "open /proc/slabinfo", open_to_read, "/proc/slabinfo"},
    {"files", "open /proc/vmallocinfo", open_to_read, "/proc/vmallocinfo"},
    {"files", "open /proc/pagetypeinfo", open_to_read, "/proc/pagetypeinfo"},
    {"files", "open /proc/timer_list", open_to_read, "/proc/timer_list"},
    {"files", "open /proc/kpageflags", open_to_read, "/proc/kpageflags"},
    {"files", "see addresses in /proc/kallsyms", read_addresses, "/proc/kallsyms"},
    {"files", "see addresses in /proc/iomem", read_addresses, "/proc/iomem"},
    {"files", "open /sys/module", open_to_read, "/sys/module"},
    {"files", "open /sys/kernel/slab", open_to_read, "/sys/kernel/slab"},
    {"files", "open /sys/devices/virtual", open_to_read, "/sys/devices/virtual"},
    {"files", "open /sys/class/net", open_to_read, "/sys/class/net"},
    {"files", "open /sys/kernel/debug", open_to_read, "/sys/kernel/debug"},
    {"files", "see another control group", find_group, NULL},
    {"files", "make a file in /", make_in, "/"},
    {"files", "make a file in /usr", make_in, "/usr"},
    {"files", "make a file in /usr/bin", make_in, "/usr/bin"},
    {"files", "make a file in /usr/local/bin", make_in, "/usr/local/bin"},
    {"files", "make a file in /usr/lib", make_in, "/usr/lib"},
    {"files", "make a file in /etc", make_in, "/etc"},
    {"files", "make a file in /etc/alternatives", make_in, "/etc/alternatives"},
    {"files", "make a file in /etc/ssl/certs", make_in, "/etc/ssl/certs"},
    {"files", "make a file in /var", make_in, "/var"},
    {"files", "make a file in /run", make_in, "/run"},
    {"files", "make a file in /root", make_in, "/root"},
    {"files", "make a file in /dev", make_in, "/dev"},
    {"files", "make a nameless file in /usr", make_nameless_in, "/usr"},
    {"files", "open /etc/passwd to write", open_to_write, "/etc/passwd"},
    {"files", "open /etc/ld.so.cache to write", open_to_write, "/etc/ld.so.cache"},
    {"files", "open a program of /usr to write", open_to_write, "/usr/bin/tzselect"},
    {"files", "link a file of /usr into /tmp", link_from_outside, "/usr/bin/env"},
    {"files", "open core_pattern to write", open_to_write, "/proc/sys/kernel/core_pattern"},
    {"files", "open hostname to write", open_to_write, "/proc/sys/kernel/hostname"},
    {"files", "open domainname to write", open_to_write, "/proc/sys/kernel/domainname"},
    {"files", "open modprobe to write", open_to_write, "/proc/sys/kernel/modprobe"},
    {"files", "open panic to write", open_to_write, "/proc/sys/kernel/panic"},
    {"files", "open shmmax to write", open_to_write, "/proc/sys/kernel/shmmax"},
    {"files", "open drop_caches to write", open_to_write, "/proc/sys/vm/drop_caches"},
    {"files", "open overcommit_memory to write", open_to_write, "/proc/sys/vm/overcommit_memory"},
    {"files", "open file-max to write", open_to_write, "/proc/sys/fs/file-max"},
    {"files", "open max_user_namespaces to write", open_to_write, "/proc/sys/user/max_user_namespaces"},
    {"files", "open ip_forward to write", open_to_write, "/proc/sys/net/ipv4/ip_forward"},
    {"files", "open sysrq-trigger to write", open_to_write, "/proc/sysrq-trigger"},
    {"files", "open sysrq to write", open_to_write, "/proc/sys/kernel/sysrq"},
    {"files", "open an interrupt's affinity to write", open_to_write, "/proc/irq/default_smp_affinity"},
    {"files", "open oom_score_adj to write", open_to_write, "/proc/self/oom_score_adj"},
    {"files", "open uid_map to write", open_to_write, "/proc/self/uid_map"},
    {"files", "open a file of a control group to write", write_to_first,
     "/sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/memory/cgroup.procs /sys/fs/cgroup/unified/cgroup.procs"},
    {"files", "open a control group's notifications to write", write_to_first,
     "/sys/fs/cgroup/memory/cgroup.event_control /sys/fs/cgroup/memory.pressure"},
    {"files", "make a control group", make_group, NULL},
    {"files", "open a release agent to write", write_to_first,
     "/sys/fs/cgroup/memory/release_agent /sys/fs/cgroup/pids/release_agent"},
    {"files", "open a file of /sys to write", write_to_first,
     "/sys/kernel/mm/transparent_hugepage/enabled /sys/power/state"},
    {"files", "open /dev/kmsg to write", open_to_write, "/dev/kmsg"},
    {"devices", "make a character device", make_device, "c 1 3"},
    {"devices", "make the device of the machine's memory", make_device, "c 1 1"},
    {"devices", "make a block device", make_device, "b 7 0"},
    {"devices", "make the whiteout of an overlay", make_device, "c 0 0"},
    {"devices", "open a block device", find_block_device, NULL},
    {"devices", "open /dev/fuse", open_to_read, "/dev/fuse"},
    {"devices", "open /dev/net/tun", open_to_read, "/dev/net/tun"},
    {"devices", "open /dev/kvm", open_to_read, "/dev/kvm"},
    {"devices", "open /dev/loop-control", open_to_read, "/dev/loop-control"},
    {"devices", "open /dev/vsock", open_to_read, "/dev/vsock"},
};

struct probes file_probes(void) { return PROBES(probes); }
