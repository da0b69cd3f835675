// Input files of a run, created in its /box before its command starts.
#pragma once

#include "tree.h"

// A range of the descriptors that provide file contents: those of blobs, or the command's memfd as number -1.
struct sandglass_file_sources {
    int32_t first;
    int32_t count;
    const int *descriptors;
};

// Creates the files, directories and links whose contents are in these sources. Runs as the slot's user. A failure has
// the index of the file, and for an archive the number of its entry.
struct sandglass_failure sandglass_input_files_create(
    struct sandglass_tree *tree, const struct sandglass_file *files, char **paths, uint32_t count,
    const struct sandglass_file_sources *sources
);
