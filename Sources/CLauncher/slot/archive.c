#include "archive.h"

#include "tar.h"

#include <string.h>
#include <sys/mman.h>

struct unpacking {
    struct sandglass_tar tar;
    struct sandglass_tar_entry entry;
    char path[PATH_MAX];
    char existing[PATH_MAX]; // the file that a hard link names
};

static int fail(int error) {
    errno = error;
    return -1;
}

// Joins the destination and a path of the archive, without empty and "." parts. The result is empty for the root.
static int join(char *result, const char *destination, const char *path) {
    size_t length = 0;
    if (strcmp(destination, ".") != 0) {
        length = strlen(destination);
        if (length >= PATH_MAX) return fail(ENAMETOOLONG);
        memcpy(result, destination, length);
    }
    if (path[0] == '/') return fail(EINVAL);
    for (const char *at = path; *at != '\0';) {
        size_t part = (size_t)(strchrnul(at, '/') - at);
        if (part == 2 && at[0] == '.' && at[1] == '.') return fail(EINVAL);
        if (part > 1 || (part == 1 && at[0] != '.')) {
            if (length + part + 2 > PATH_MAX) return fail(ENAMETOOLONG);
            if (length > 0) result[length++] = '/';
            memcpy(result + length, at, part);
            length += part;
        }
        at += part;
        if (*at == '/') at++;
    }
    result[length] = '\0';
    return 0;
}

static int write_all(int to, const unsigned char *bytes, size_t length) {
    while (length > 0) {
        ssize_t written = write(to, bytes, length);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return -1;
        bytes += written;
        length -= (size_t)written;
    }
    return 0;
}

// Copies small contents from the window, which already holds most of them together with the next headers.
static int copy_content(struct sandglass_tar *tar, const struct sandglass_tar_entry *entry, int to) {
    if (entry->length > SANDGLASS_TAR_WINDOW_BYTES)
        return sandglass_copy(to, tar->file, tar->start + entry->offset, entry->length);
    const unsigned char *content = sandglass_tar_read(tar, entry->offset, (size_t)entry->length);
    return content ? write_all(to, content, (size_t)entry->length) : -1;
}

static int create_file(struct sandglass_tree *tree, struct unpacking *state) {
    // The file is closed before any fork, so that an exec of it finds no writer (ETXTBSY).
    int to = sandglass_tree_create_file(tree, state->path, state->entry.is_executable ? 0755 : 0644);
    if (to < 0) return -1;
    int result = copy_content(&state->tar, &state->entry, to);
    int error = errno;
    close(to);
    errno = error;
    return result;
}

static int create_entry(struct sandglass_tree *tree, struct unpacking *state, const char *destination) {
    const struct sandglass_tar_entry *entry = &state->entry;
    if (join(state->path, destination, entry->path) < 0) return -1;
    if (state->path[0] == '\0') return entry->kind == SANDGLASS_TAR_DIRECTORY ? 0 : fail(EINVAL);
    switch (entry->kind) {
    case SANDGLASS_TAR_DIRECTORY: return sandglass_tree_create_directory(tree, state->path);
    case SANDGLASS_TAR_SYMBOLIC_LINK: return sandglass_tree_create_symbolic_link(tree, state->path, entry->target);
    case SANDGLASS_TAR_HARD_LINK:
        if (join(state->existing, destination, entry->target) < 0) return -1;
        return sandglass_tree_create_hard_link(tree, state->path, state->existing);
    default: return create_file(tree, state);
    }
}

// Async-signal-safe, like every function above.
int sandglass_archive_unpack(
    struct sandglass_tree *tree, const char *destination, int file, uint64_t offset, uint64_t length, uint32_t *entry
) {
    *entry = 0;
    if (strcmp(destination, ".") != 0 && sandglass_tree_create_directory(tree, destination) < 0) return -1;
    struct unpacking *state =
        mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (state == MAP_FAILED) return -1;
    sandglass_tar_open(&state->tar, file, offset, length);
    int result;
    for (;;) {
        ++*entry;
        result = sandglass_tar_next(&state->tar, &state->entry);
        if (result <= 0) break;
        result = *entry > SANDGLASS_MAXIMUM_ARCHIVE_ENTRIES ? fail(E2BIG) : create_entry(tree, state, destination);
        if (result < 0) break;
    }
    int error = errno;
    munmap(state, sizeof *state);
    errno = error;
    return result;
}
