#include "input_files.h"

#include "archive.h"

#include <string.h>

static int create_regular(
    struct sandglass_tree *tree, const struct sandglass_file *file, const char *path, int from
) {
    // The file is closed before any fork, so that an exec of it finds no writer (ETXTBSY).
    int to = sandglass_tree_create_file(tree, path, file->mode);
    if (to < 0) return -1;
    int result = sandglass_copy(to, from, file->offset, file->length);
    int error = errno;
    close(to);
    errno = error;
    return result;
}

static int create_symbolic_link(
    struct sandglass_tree *tree, const struct sandglass_file *file, const char *path, int from
) {
    char target[PATH_MAX];
    errno = ENAMETOOLONG;
    if (file->length >= sizeof target) return -1;
    errno = EINVAL;
    if (pread(from, target, file->length, (off_t)file->offset) != (ssize_t)file->length) return -1;
    errno = EINVAL;
    if (memchr(target, '\0', file->length)) return -1;
    target[file->length] = '\0';
    return sandglass_tree_create_symbolic_link(tree, path, target);
}

static int create(
    struct sandglass_tree *tree, const struct sandglass_file *file, const char *path, int from, uint32_t *entry
) {
    switch (file->kind) {
    case SANDGLASS_FILE_DIRECTORY: return sandglass_tree_create_directory(tree, path);
    case SANDGLASS_FILE_SYMBOLIC_LINK: return create_symbolic_link(tree, file, path, from);
    case SANDGLASS_FILE_ARCHIVE:
        return sandglass_archive_unpack(tree, path, from, file->offset, file->length, entry);
    default: return create_regular(tree, file, path, from);
    }
}

// Async-signal-safe, like every function above.
struct sandglass_failure sandglass_input_files_create(
    struct sandglass_tree *tree, const struct sandglass_file *files, char **paths, uint32_t count,
    const struct sandglass_file_sources *sources
) {
    for (uint32_t i = 0; i < count; i++) {
        int32_t number = files[i].blob - sources->first;
        if (number < 0 || number >= sources->count) continue;
        uint32_t entry = 0;
        if (create(tree, &files[i], paths[i], sources->descriptors[number], &entry) == 0) continue;
        struct sandglass_failure failure = sandglass_failed(SANDGLASS_STEP_FILES, (int32_t)i);
        failure.entry = entry;
        return failure;
    }
    return sandglass_no_failure();
}
