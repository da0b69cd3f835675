// Files of a run, made in its /box before its command starts.
#pragma once

#include "system.h"

// Makes them, as the user that the slot is by now. `descriptors` are the blobs' and `memory` the command's memfd. A failure
// names the file by its index.
struct sandglass_failure sandglass_files_place(
    const struct sandglass_file *files, char **paths, uint32_t count, int memory, const int *descriptors
);
