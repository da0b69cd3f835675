#include "request.h"

#include "input_files.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

// Returns the next string of the command's text, or NULL if there is none.
static char *next_string(char **at, const char *end) {
    char *string = *at;
    char *terminator = string < end ? memchr(string, '\0', (size_t)(end - string)) : NULL;
    if (!terminator) return NULL;
    *at = terminator + 1;
    return string;
}

static bool take_strings(char **vector, uint32_t count, char **at, const char *end) {
    for (uint32_t i = 0; i < count; i++) {
        vector[i] = next_string(at, end);
        if (!vector[i]) return false;
    }
    vector[count] = NULL;
    return true;
}

// Async-signal-safe.
char *sandglass_request_map(int file, size_t *length) {
    struct stat status;
    if (fstat(file, &status) < 0) return NULL;
    *length = (size_t)status.st_size;
    char *text = mmap(NULL, *length, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    return text == MAP_FAILED ? NULL : text;
}

static char **allocate_strings(struct sandglass_decoded_request *request, size_t pointers) {
    if (pointers <= sizeof request->strings / sizeof *request->strings) return request->strings;
    char **strings = mmap(NULL, pointers * sizeof *strings, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return strings == MAP_FAILED ? NULL : strings;
}

// Async-signal-safe.
bool sandglass_request_read(
    char *text, size_t length, struct sandglass_prepared_command *command, struct sandglass_decoded_request *request
) {
    errno = EBADMSG;
    if (length < sizeof(struct sandglass_command)) return false;
    const struct sandglass_command *header = (const void *)text;
    size_t records = (size_t)header->file_count * sizeof(struct sandglass_file);
    size_t pointers = (size_t)header->argument_count + header->environment_count + header->file_count + 3;
    if (header->argument_count == 0 || pointers > length + 3 || header->text_bytes > length
        || records > header->text_bytes || header->blob_count > header->file_count)
        return false;
    char **vector = allocate_strings(request, pointers);
    if (!vector) return false;

    char *at = text + sizeof *header + records;
    const char *end = text + header->text_bytes;
    if (at > end) return false;
    errno = EBADMSG;
    command->working_directory = next_string(&at, end);
    command->path = next_string(&at, end);
    if (!command->working_directory || !command->path) return false;
    command->arguments = vector;
    command->environment = vector + header->argument_count + 1;
    command->open_files = header->open_files;
    command->stack_bytes = header->stack_bytes;
    command->processes = header->processes;
    command->cpu_seconds = header->cpu_nanoseconds / 1000000000u + (header->cpu_nanoseconds % 1000000000u != 0);
    request->header = header;
    request->files = (const void *)(text + sizeof *header);
    request->paths = command->environment + header->environment_count + 1;
    for (uint32_t i = 0; i < header->file_count; i++) {
        const struct sandglass_file *placed = &request->files[i];
        if (placed->blob >= (int64_t)header->blob_count) return false;
        if (placed->blob < 0 && (placed->offset > length || placed->length > length - placed->offset)) return false;
        if (placed->kind > SANDGLASS_FILE_ARCHIVE) return false;
    }
    return take_strings(command->arguments, header->argument_count, &at, end)
        && take_strings(command->environment, header->environment_count, &at, end)
        && take_strings(request->paths, header->file_count, &at, end) && at == end;
}

// Receives a few blobs at a time, so that a slot needs few descriptors for any number of files.
static struct sandglass_failure create_from_blobs(
    struct sandglass_tree *tree, const struct sandglass_decoded_request *request, uint32_t arrived, int control
) {
    const struct sandglass_command *header = request->header;
    int descriptors[SANDGLASS_BLOBS_AT_ONCE];
    struct sandglass_slot_request next = {0};
    uint32_t left = header->blob_count - arrived;
    int wanted = left < SANDGLASS_BLOBS_AT_ONCE ? (int)left : SANDGLASS_BLOBS_AT_ONCE;
    ssize_t received = sandglass_receive(control, &next, sizeof next, descriptors, wanted);
    // The server has exited.
    if (received <= 0) _exit(0);
    errno = EBADMSG;
    if (received != sizeof next || next.kind != SANDGLASS_SLOT_BLOBS || descriptors[wanted - 1] < 0)
        return sandglass_failed(SANDGLASS_STEP_REQUEST, -1);
    struct sandglass_file_sources blobs = {.first = (int32_t)arrived, .count = wanted, .descriptors = descriptors};
    struct sandglass_failure failure =
        sandglass_input_files_create(tree, request->files, request->paths, header->file_count, &blobs);
    for (int i = 0; i < wanted; i++) close(descriptors[i]);
    return failure;
}

// Async-signal-safe.
struct sandglass_failure sandglass_request_create_files(
    const struct sandglass_decoded_request *request, int memory, int control
) {
    const struct sandglass_command *header = request->header;
    struct sandglass_tree tree;
    if (sandglass_tree_open(&tree, "/box") < 0) return sandglass_failed(SANDGLASS_STEP_FILES, -1);
    struct sandglass_file_sources bytes = {.first = -1, .count = 1, .descriptors = &memory};
    struct sandglass_failure failure =
        sandglass_input_files_create(&tree, request->files, request->paths, header->file_count, &bytes);
    for (uint32_t arrived = 0; !failure.step && arrived < header->blob_count; arrived += SANDGLASS_BLOBS_AT_ONCE)
        failure = create_from_blobs(&tree, request, arrived, control);
    sandglass_tree_close(&tree);
    return failure;
}
