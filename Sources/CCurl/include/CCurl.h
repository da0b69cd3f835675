// libcurl, opened when it is needed and not before (dlopen(3)).
//
// The server and its launcher are the same program. With libcurl they would load some 25 libraries more at their start, the
// launcher as root, and use none of them.
//
// Types and constants are libcurl's own. Its functions are not to be called by their names, for nothing links against them, but
// by those below, each of which is libcurl's of the same name and needs sandglass_curl_open() to have succeeded.
#pragma once

// Its macros of the same name as its functions: they check calls that are not made here.
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

// Opens libcurl; more than once does no harm, from one thread at a time. NULL, or why there is none (dlerror(3)).
const char *sandglass_curl_open(void);

// MARK: Through the table of what was opened

CURL *sandglass_curl_easy_init(void);
void sandglass_curl_easy_cleanup(CURL *easy);
void sandglass_curl_easy_reset(CURL *easy);
const char *sandglass_curl_easy_strerror(CURLcode code);
CURLM *sandglass_curl_multi_init(void);
CURLMcode sandglass_curl_multi_cleanup(CURLM *multi);
CURLMcode sandglass_curl_multi_add_handle(CURLM *multi, CURL *easy);
CURLMcode sandglass_curl_multi_remove_handle(CURLM *multi, CURL *easy);
CURLMcode sandglass_curl_multi_perform(CURLM *multi, int *running);
CURLMcode sandglass_curl_multi_poll(CURLM *multi, struct curl_waitfd *others, unsigned count, int milliseconds, int *ready);
CURLMsg *sandglass_curl_multi_info_read(CURLM *multi, int *left);
struct curl_slist *sandglass_curl_slist_append(struct curl_slist *list, const char *text);
void sandglass_curl_slist_free_all(struct curl_slist *list);

// MARK: Through that table, and variadic, which Swift cannot call: curl_easy_setopt(3) and curl_easy_getinfo(3), by type

// CURLOPTTYPE_LONG, which is C's long and no int.
CURLcode sandglass_curl_set_long(CURL *easy, CURLoption option, long value);
// CURLOPTTYPE_OFF_T, 64 bits also where a long has fewer.
CURLcode sandglass_curl_set_offset(CURL *easy, CURLoption option, curl_off_t value);
// CURLOPTTYPE_STRINGPOINT: a text, which libcurl copies, or NULL.
CURLcode sandglass_curl_set_text(CURL *easy, CURLoption option, const char *text);
// CURLOPTTYPE_SLISTPOINT: a list, which has to stay for as long as the request does.
CURLcode sandglass_curl_set_list(CURL *easy, CURLoption option, struct curl_slist *list);
// CURLOPT_ERRORBUFFER: CURL_ERROR_SIZE bytes, which have to stay until another buffer is set or the handle is reset.
CURLcode sandglass_curl_set_error_buffer(CURL *easy, char *buffer);
// CURLOPTTYPE_FUNCTIONPOINT, four of them: to C any function fits there, here each has its type. All take the same context.
CURLcode sandglass_curl_set_callbacks(CURL *easy, curl_write_callback head, curl_write_callback body, curl_read_callback read,
                                      curl_seek_callback seek, void *context);
// CURLINFO_LONG, through a pointer to a long.
CURLcode sandglass_curl_get_long(CURL *easy, CURLINFO info, long *value);
