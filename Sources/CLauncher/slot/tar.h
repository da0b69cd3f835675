// Reads a tar archive: ustar, the pax records path, linkpath and size, and GNU's long names. The archive is hostile.
// Sources: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Header Block"; tar(5) of GNU tar, "Basic Tar Format".
#pragma once

#include "../system.h"

#include <limits.h>

enum { SANDGLASS_TAR_WINDOW_BYTES = 64 * 1024 };

// An open archive. It is large: allocate it outside the stack.
struct sandglass_tar {
    int file;
    uint64_t start;    // of the archive in the file; all other offsets count from here
    uint64_t length;   // of the archive
    uint64_t position; // of the next header
    uint64_t window_start;
    size_t window_length;
    unsigned char window[SANDGLASS_TAR_WINDOW_BYTES];
};

enum sandglass_tar_kind {
    SANDGLASS_TAR_FILE,
    SANDGLASS_TAR_DIRECTORY,
    SANDGLASS_TAR_SYMBOLIC_LINK,
    SANDGLASS_TAR_HARD_LINK,
};

struct sandglass_tar_entry {
    enum sandglass_tar_kind kind;
    bool is_executable;    // by its owner
    uint64_t offset;       // of the content in the archive
    uint64_t length;       // of the content; 0 for all but files
    char path[PATH_MAX];   // as the archive has it
    char target[PATH_MAX]; // of a link; empty for others
};

void sandglass_tar_open(struct sandglass_tar *tar, int file, uint64_t start, uint64_t length);

// Reads the next entry. Returns 1, or 0 at the end of the archive, or -1 with errno. EBADMSG: the archive is damaged,
// truncated or no tar archive. EOPNOTSUPP: the entry has a kind that is refused, such as a device.
int sandglass_tar_next(struct sandglass_tar *tar, struct sandglass_tar_entry *entry);

// Returns up to SANDGLASS_TAR_WINDOW_BYTES of the archive, valid until the next call of any of these functions, or NULL
// with errno.
const unsigned char *sandglass_tar_read(struct sandglass_tar *tar, uint64_t offset, size_t length);
