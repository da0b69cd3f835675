// What a slot is asked to run, as it comes: in the packet or in a memfd, and descriptors of blobs behind it.
#pragma once

#include "command.h"

// What comes beside the command itself.
struct sandglass_request {
    const struct sandglass_command *header;
    const struct sandglass_file *files;
    char **paths; // of the files
    char *strings[128]; // where they and the command's are, if there are not more of them
};

// Of the memfd: its contents. NULL with errno. The mapping is left to the slot's end: it has no second command.
char *sandglass_request_map(int file, size_t *length);
// Reads a command into `command` and `request`. Both point into it. Returns false with errno.
bool sandglass_request_read(
    char *text, size_t length, struct sandglass_prepared_command *command, struct sandglass_request *request
);

// Makes the files of the run. Their blobs' descriptors come by the control socket, in packets of their own.
struct sandglass_failure sandglass_request_place_files(const struct sandglass_request *request, int memory, int control);
