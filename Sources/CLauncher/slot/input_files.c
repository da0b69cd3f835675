#include "input_files.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

// Bytes copied per call. A slot that must end during a call is killed from outside.
enum { COPIED_AT_ONCE = 1 << 24 };

static const char box[] = "/box/";

// Makes the parent directories of a path, each with the mode of a directory that its owner made.
static int make_parent_directories(char *path) {
    for (char *slash = path + sizeof box - 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        int made = mkdir(path, 0755);
        // The umask is the server's. No other process has run in this file system, so nothing can be in the way.
        int failed = made == 0 ? chmod(path, 0755) : errno != EEXIST;
        *slash = '/';
        if (failed) return -1;
    }
    return 0;
}

static int copy(int to, int from, uint64_t offset, uint64_t length) {
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

static int create_file(const struct sandglass_file *file, const char *name, int from) {
    char path[PATH_MAX];
    if (strlen(name) + sizeof box > sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(path, box, sizeof box - 1);
    strcpy(path + sizeof box - 1, name);
    if (make_parent_directories(path) < 0) return -1;
    int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to < 0) return -1;
    // The file is closed before any fork, so that an exec of it finds no writer (ETXTBSY).
    int failed = copy(to, from, file->offset, file->length) < 0 || fchmod(to, file->mode) < 0;
    int error = errno;
    close(to);
    errno = error;
    return failed ? -1 : 0;
}

// Async-signal-safe.
struct sandglass_failure sandglass_input_files_create(
    const struct sandglass_file *files, char **paths, uint32_t count, const struct sandglass_file_sources *sources
) {
    for (uint32_t i = 0; i < count; i++) {
        int32_t number = files[i].blob - sources->first;
        if (number < 0 || number >= sources->count) continue;
        if (create_file(&files[i], paths[i], sources->descriptors[number]) < 0)
            return sandglass_failed(SANDGLASS_STEP_FILES, (int32_t)i);
    }
    return sandglass_no_failure();
}
