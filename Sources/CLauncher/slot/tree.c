#include "tree.h"

#include <fcntl.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

// Bytes copied per call. A slot that must end during a call is killed from outside.
enum { COPIED_AT_ONCE = 1 << 24 };

static void close_keeping_errno(int file) {
    int error = errno;
    if (file >= 0) close(file);
    errno = error;
}

static bool is_name(const char *name) {
    return name[0] != '\0' && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static int enter(int directory, const char *name, bool creates) {
    // With O_DIRECTORY and O_NOFOLLOW a symbolic link gives ENOTDIR.
    const int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int next = openat(directory, name, flags);
    if (next >= 0 || errno != ENOENT || !creates) return next;
    return mkdirat(directory, name, 0755) < 0 ? -1 : openat(directory, name, flags);
}

// Opens the directory with a path of at least one part, one part at a time.
static int walk(int root, const char *path, size_t length, bool creates) {
    char name[NAME_MAX + 1];
    int directory = root;
    for (const char *at = path, *end = path + length; at <= end;) {
        const char *slash = memchr(at, '/', (size_t)(end - at));
        size_t part = (size_t)((slash ? slash : end) - at);
        int next = -1;
        errno = ENAMETOOLONG;
        if (part < sizeof name) {
            memcpy(name, at, part);
            name[part] = '\0';
            errno = EINVAL;
            if (is_name(name)) next = enter(directory, name, creates);
        }
        if (directory != root) close_keeping_errno(directory);
        if (next < 0) return -1;
        directory = next;
        at += part + 1;
    }
    return directory;
}

// Returns the length of the parent's path, and the last part of the path.
static size_t split(const char *path, const char **name) {
    const char *slash = strrchr(path, '/');
    *name = slash ? slash + 1 : path;
    return slash ? (size_t)(slash - path) : 0;
}

// Returns the parent directory of an entry. It stays open for the next entry.
static int open_parent(struct sandglass_tree *tree, const char *path, const char **name) {
    size_t length = split(path, name);
    if (!is_name(*name) || (length == 0 && *name != path)) {
        errno = EINVAL;
        return -1;
    }
    if (length == 0) return tree->root;
    if (tree->parent >= 0 && tree->parent_length == length && memcmp(tree->parent_path, path, length) == 0)
        return tree->parent;
    if (length >= sizeof tree->parent_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int parent = walk(tree->root, path, length, true);
    if (parent < 0) return -1;
    if (tree->parent >= 0) close(tree->parent);
    tree->parent = parent;
    tree->parent_length = length;
    memcpy(tree->parent_path, path, length);
    return parent;
}

// A link is followed from its own directory. Returns whether each part of the target is below the root.
static bool stays_below(const char *path, const char *target) {
    if (target[0] == '\0' || target[0] == '/') return false;
    size_t depth = 0;
    for (const char *at = path; (at = strchr(at, '/')); at++) depth++;
    for (const char *at = target; *at != '\0';) {
        size_t part = (size_t)(strchrnul(at, '/') - at);
        if (part == 2 && at[0] == '.' && at[1] == '.') {
            if (depth-- == 0) return false;
        } else if (part > 1 || (part == 1 && at[0] != '.')) {
            depth++;
        }
        at += part;
        if (*at == '/') at++;
    }
    return true;
}

// Async-signal-safe.
int sandglass_tree_open(struct sandglass_tree *tree, const char *root) {
    tree->parent = -1;
    tree->root = open(root, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    // The inherited umask is the server's.
    umask(022);
    return tree->root < 0 ? -1 : 0;
}

// Async-signal-safe.
void sandglass_tree_close(struct sandglass_tree *tree) {
    close_keeping_errno(tree->parent);
    close_keeping_errno(tree->root);
}

// Async-signal-safe.
int sandglass_tree_create_file(struct sandglass_tree *tree, const char *path, mode_t mode) {
    const char *name;
    int parent = open_parent(tree, path, &name);
    return parent < 0 ? -1 : openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
}

// Async-signal-safe.
int sandglass_tree_create_directory(struct sandglass_tree *tree, const char *path) {
    const char *name;
    int parent = open_parent(tree, path, &name);
    if (parent < 0) return -1;
    if (mkdirat(parent, name, 0755) == 0) return 0;
    if (errno != EEXIST) return -1;
    int existing = enter(parent, name, false);
    if (existing >= 0) close(existing);
    else errno = EEXIST;
    return existing < 0 ? -1 : 0;
}

// Async-signal-safe.
int sandglass_tree_create_symbolic_link(struct sandglass_tree *tree, const char *path, const char *target) {
    if (!stays_below(path, target)) {
        errno = EINVAL;
        return -1;
    }
    const char *name;
    int parent = open_parent(tree, path, &name);
    return parent < 0 ? -1 : symlinkat(target, parent, name);
}

// Async-signal-safe.
int sandglass_tree_create_hard_link(struct sandglass_tree *tree, const char *path, const char *existing) {
    const char *name, *existing_name;
    size_t length = split(existing, &existing_name);
    errno = EINVAL;
    if (!is_name(existing_name)) return -1;
    int directory = length > 0 ? walk(tree->root, existing, length, false) : tree->root;
    if (directory < 0) return -1;
    struct stat status;
    int result = fstatat(directory, existing_name, &status, AT_SYMLINK_NOFOLLOW);
    // A second name of a symbolic link would lead elsewhere than the first.
    if (result == 0 && !S_ISREG(status.st_mode)) {
        errno = EINVAL;
        result = -1;
    }
    int parent = result < 0 ? -1 : open_parent(tree, path, &name);
    result = parent < 0 ? -1 : linkat(directory, existing_name, parent, name, 0);
    if (directory != tree->root) close_keeping_errno(directory);
    return result;
}

// Async-signal-safe.
int sandglass_copy(int to, int from, uint64_t offset, uint64_t length) {
    off_t at = (off_t)offset;
    while (length > 0) {
        ssize_t copied = sendfile(to, from, &at, length < COPIED_AT_ONCE ? length : COPIED_AT_ONCE);
        if (copied < 0 && errno == EINTR) continue;
        if (copied < 0) return -1;
        // The source is shorter than the record claims.
        if (copied == 0) {
            errno = EIO;
            return -1;
        }
        length -= (uint64_t)copied;
    }
    return 0;
}
