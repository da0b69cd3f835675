// What a slot is asked to run, as it comes: a memfd, and descriptors of blobs behind it.
#pragma once

#include "command.h"

// What the memfd says beside the command itself.
struct sandglass_request {
    const struct sandglass_command *header;
    const struct sandglass_file *files;
    char **paths; // of the files
};

// Reads the memfd into `command` and `request`. Returns false with errno. The mappings are left to the slot's end: it has no
// second command.
bool sandglass_request_read(int file, struct sandglass_prepared_command *command, struct sandglass_request *request);

// Makes the files of the run. Their blobs' descriptors come by the control socket, in packets of their own.
struct sandglass_failure sandglass_request_place_files(const struct sandglass_request *request, int memory, int control);
