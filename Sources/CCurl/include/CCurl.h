// libcurl, opened with dlopen(3) only when a command needs it.
//
// The server and its launcher are the same program. If it linked libcurl, both would load about 25 more libraries at
// start, the launcher as root, and would use none of them.
//
// Types and constants are libcurl's own. Its functions must not be called by their own names, because nothing links
// against them. Each function below calls the libcurl function of the same name, and needs a successful
// sandglass_curl_open().
#pragma once

// Disables the macros with the names of functions: they check direct calls, and there are none here.
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

// Opens libcurl. Repeated calls are harmless, but only one thread may call at a time. Returns NULL, or an error
// message (dlerror(3)).
const char *sandglass_curl_open(void);

// MARK: Plain functions

CURL *sandglass_curl_easy_init(void);
void sandglass_curl_easy_cleanup(CURL *easy);
void sandglass_curl_easy_reset(CURL *easy);
const char *sandglass_curl_easy_strerror(CURLcode code);
CURLM *sandglass_curl_multi_init(void);
CURLMcode sandglass_curl_multi_cleanup(CURLM *multi);
CURLMcode sandglass_curl_multi_add_handle(CURLM *multi, CURL *easy);
CURLMcode sandglass_curl_multi_remove_handle(CURLM *multi, CURL *easy);
CURLMcode sandglass_curl_multi_perform(CURLM *multi, int *running);
CURLMcode sandglass_curl_multi_poll(
    CURLM *multi, struct curl_waitfd *others, unsigned count, int milliseconds, int *ready
);
CURLMsg *sandglass_curl_multi_info_read(CURLM *multi, int *left);
struct curl_slist *sandglass_curl_slist_append(struct curl_slist *list, const char *text);
void sandglass_curl_slist_free_all(struct curl_slist *list);

// MARK: Typed variants of curl_easy_setopt(3) and curl_easy_getinfo(3), which are variadic and not callable from
// Swift

// For CURLOPTTYPE_LONG, which takes C's long and not an int.
CURLcode sandglass_curl_set_long(CURL *easy, CURLoption option, long value);
// For CURLOPTTYPE_OFF_T, which has 64 bits even where a long has fewer.
CURLcode sandglass_curl_set_offset(CURL *easy, CURLoption option, curl_off_t value);
// For CURLOPTTYPE_STRINGPOINT: a text, which libcurl copies, or NULL.
CURLcode sandglass_curl_set_text(CURL *easy, CURLoption option, const char *text);
// For CURLOPTTYPE_SLISTPOINT: a list that must stay valid as long as the request.
CURLcode sandglass_curl_set_list(CURL *easy, CURLoption option, struct curl_slist *list);
// For CURLOPT_ERRORBUFFER: CURL_ERROR_SIZE bytes that must stay valid until another buffer is set or the handle is
// reset.
CURLcode sandglass_curl_set_error_buffer(CURL *easy, char *buffer);
// For four options of CURLOPTTYPE_FUNCTIONPOINT, with a checked type each: C would accept any function there. All
// callbacks get the same context.
CURLcode sandglass_curl_set_callbacks(
    CURL *easy, curl_write_callback head, curl_write_callback body, curl_read_callback read, curl_seek_callback seek,
    void *context
);
// For CURLINFO_LONG: stores the value through a pointer to a long.
CURLcode sandglass_curl_get_long(CURL *easy, CURLINFO info, long *value);
