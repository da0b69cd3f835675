// Files of a run, made in its /box before its command starts.
#pragma once

#include "system.h"

// Some of the descriptors that files are made of: those of blobs, or, as number -1, the command's memfd.
struct sandglass_blobs {
    int32_t first;
    int32_t count;
    const int *descriptors;
};

// Makes those files that are made of these, as the user that the slot is by now. A failure names the file by its index.
struct sandglass_failure sandglass_files_place(
    const struct sandglass_file *files, char **paths, uint32_t count, const struct sandglass_blobs *blobs
);
