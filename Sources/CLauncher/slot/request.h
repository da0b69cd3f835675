// Decodes the request to start a command. The command is in the packet or in a memfd, and descriptors of blobs may
// follow.
#pragma once

#include "command.h"

// The parts of a request beside the command itself.
struct sandglass_decoded_request {
    const struct sandglass_command *header;
    const struct sandglass_file *files;
    char **paths;       // one per file
    char *strings[128]; // storage for the paths and the command's strings, if there are no more than this
};

// Maps the contents of the memfd. Returns NULL with errno on failure. The mapping stays until the slot's end, because
// a slot runs only one command.
char *sandglass_request_map(int file, size_t *length);
// Decodes a command into `command` and `request`. Both point into `text`. Returns false with errno on failure.
bool sandglass_request_read(
    char *text, size_t length, struct sandglass_prepared_command *command, struct sandglass_decoded_request *request
);

// Creates the input files of the run. The descriptors of their blobs arrive on the control socket in packets of their
// own.
struct sandglass_failure sandglass_request_create_files(
    const struct sandglass_decoded_request *request, int memory, int control
);
