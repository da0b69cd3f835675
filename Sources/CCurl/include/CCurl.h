// HTTP as a client speaks it: libcurl, opened when it is needed and not before (dlopen(3)).
//
// The server and its launcher are the same program. With libcurl they would load some 25 libraries more at their start, the
// launcher as root, and use none of them.
//
// One thing at a time: a connection (kept alive from one request to the next) and a request that is driven by its owner, who
// waits for a descriptor of its own together with it. There is no call back into the owner: what comes is collected here and
// fetched.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Opens libcurl; more than once does no harm. NULL, or why there is none (dlerror(3)).
const char *sandglass_curl_open(void);

struct sandglass_curl;

// A client, or NULL where there is no memory. sandglass_curl_open() has to have succeeded.
//
// ca_file: PEM certificates of those who are trusted in place of the system's, or NULL.
struct sandglass_curl *sandglass_curl_new(const char *user_agent, const char *ca_file, int connect_seconds);
void sandglass_curl_free(struct sandglass_curl *curl);

struct sandglass_curl_request {
    const char *method;
    const char *url;
    // "Name: value", each.
    const char *const *headers;
    size_t header_count;
    // The body: bytes, which are copied, or where those are NULL so many of a file from its beginning; -1 bytes are no body.
    const void *bytes;
    int file;
    int64_t byte_count;
};

// Begins a request; the one before has to be over or given up. Whether it could begin; if not, it is to be given up.
bool sandglass_curl_begin(struct sandglass_curl *curl, const struct sandglass_curl_request *request);

// Goes on with it, and waits at most so many milliseconds for the network or for something to read from another descriptor.
// Whether the request is over. other_is_ready tells whether the other descriptor can be read.
bool sandglass_curl_step(struct sandglass_curl *curl, int other, int milliseconds, bool *other_is_ready);

// Gives the request up, if one is under way, and its connection.
void sandglass_curl_cancel(struct sandglass_curl *curl);

// How a request ended.
enum sandglass_curl_end {
    // With an answer, whatever its status.
    SANDGLASS_CURL_ANSWERED,
    // No connection could be made.
    SANDGLASS_CURL_UNREACHABLE,
    // The connection ended before the answer did.
    SANDGLASS_CURL_BROKEN_OFF,
    // The other side is not who it should be.
    SANDGLASS_CURL_UNTRUSTED,
    // The file had fewer bytes than were announced, or could not be read.
    SANDGLASS_CURL_FILE_CHANGED,
    // Anything else.
    SANDGLASS_CURL_FAILED,
};
enum sandglass_curl_end sandglass_curl_end(const struct sandglass_curl *curl);

// What libcurl says about it, for people; never NULL.
const char *sandglass_curl_reason(const struct sandglass_curl *curl);

// The status of the answer; 0 until there is one.
int sandglass_curl_status(const struct sandglass_curl *curl);

// The header lines of the answer, without those of interim answers.
const char *sandglass_curl_head(const struct sandglass_curl *curl, size_t *count);

// What has come of the body and was not dropped yet.
const void *sandglass_curl_body(const struct sandglass_curl *curl, size_t *count);
void sandglass_curl_drop_body(struct sandglass_curl *curl);

// How many bytes of the request's body have been sent.
int64_t sandglass_curl_sent(const struct sandglass_curl *curl);

// A number that changes whenever something is sent or comes.
uint64_t sandglass_curl_traffic(const struct sandglass_curl *curl);
