// Unpacks an archive in the directory of a run.
#pragma once

#include "tree.h"

// Creates the entries of a tar archive, which is a part of `file`, below `destination`: a path of the tree, or the root
// if it is ".". Files get the mode 0644, or 0755 if the owner may execute them, and the current time. Returns 0, or -1
// with errno. The number of the entry that failed, counted from 1, is stored in `entry`.
int sandglass_archive_unpack(
    struct sandglass_tree *tree, const char *destination, int file, uint64_t offset, uint64_t length, uint32_t *entry
);
