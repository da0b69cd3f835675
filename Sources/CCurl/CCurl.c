#define _GNU_SOURCE
#include "CCurl.h"

#include <dlfcn.h>
#include <string.h>

// Debian's build with GnuTLS comes first, because the program has already loaded GnuTLS through libmicrohttpd.
static const char *const libraries[] = {"libcurl-gnutls.so.4", "libcurl.so.4"};

// The functions in use. Each has a pointer, which is filled from the symbol of that name.
// clang-format off
#define EACH_FUNCTION(apply) \
    apply(global_init) \
    apply(easy_init) \
    apply(easy_cleanup) \
    apply(easy_reset) \
    apply(easy_setopt) \
    apply(easy_getinfo) \
    apply(easy_strerror) \
    apply(multi_init) \
    apply(multi_cleanup) \
    apply(multi_add_handle) \
    apply(multi_remove_handle) \
    apply(multi_perform) \
    apply(multi_poll) \
    apply(multi_info_read) \
    apply(slist_append) \
    apply(slist_free_all)
// clang-format on

static struct {
    void *library;
#define POINTER(name) __typeof__(curl_##name) *name;
    EACH_FUNCTION(POINTER)
} curl;

static const struct {
    const char *name;
    void *pointer;
} symbols[] = {
#define SYMBOL(name) {"curl_" #name, &curl.name},
    EACH_FUNCTION(SYMBOL)
};

const char *sandglass_curl_open(void) {
    if (curl.library != NULL) return NULL;
    void *library = NULL;
    for (size_t i = 0; library == NULL && i < sizeof libraries / sizeof *libraries; i++)
        library = dlopen(libraries[i], RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) return dlerror();
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
        void *symbol = dlsym(library, symbols[i].name);
        if (symbol == NULL) return dlerror();
        // POSIX guarantees that a function's address fits a data pointer, but C has no cast for it.
        memcpy(symbols[i].pointer, &symbol, sizeof symbol);
    }
    if (curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return "curl_global_init failed";
    curl.library = library;
    return NULL;
}

CURL *sandglass_curl_easy_init(void) { return curl.easy_init(); }

void sandglass_curl_easy_cleanup(CURL *easy) { curl.easy_cleanup(easy); }

void sandglass_curl_easy_reset(CURL *easy) { curl.easy_reset(easy); }

const char *sandglass_curl_easy_strerror(CURLcode code) { return curl.easy_strerror(code); }

CURLM *sandglass_curl_multi_init(void) { return curl.multi_init(); }

CURLMcode sandglass_curl_multi_cleanup(CURLM *multi) { return curl.multi_cleanup(multi); }

CURLMcode sandglass_curl_multi_add_handle(CURLM *multi, CURL *easy) { return curl.multi_add_handle(multi, easy); }

CURLMcode sandglass_curl_multi_remove_handle(CURLM *multi, CURL *easy) { return curl.multi_remove_handle(multi, easy); }

CURLMcode sandglass_curl_multi_perform(CURLM *multi, int *running) { return curl.multi_perform(multi, running); }

CURLMcode sandglass_curl_multi_poll(
    CURLM *multi, struct curl_waitfd *others, unsigned count, int milliseconds, int *ready
) {
    return curl.multi_poll(multi, others, count, milliseconds, ready);
}

CURLMsg *sandglass_curl_multi_info_read(CURLM *multi, int *left) { return curl.multi_info_read(multi, left); }

struct curl_slist *sandglass_curl_slist_append(struct curl_slist *list, const char *text) {
    return curl.slist_append(list, text);
}

void sandglass_curl_slist_free_all(struct curl_slist *list) { curl.slist_free_all(list); }

CURLcode sandglass_curl_set_long(CURL *easy, CURLoption option, long value) {
    return curl.easy_setopt(easy, option, value);
}

CURLcode sandglass_curl_set_offset(CURL *easy, CURLoption option, curl_off_t value) {
    return curl.easy_setopt(easy, option, value);
}

CURLcode sandglass_curl_set_text(CURL *easy, CURLoption option, const char *text) {
    return curl.easy_setopt(easy, option, text);
}

CURLcode sandglass_curl_set_list(CURL *easy, CURLoption option, struct curl_slist *list) {
    return curl.easy_setopt(easy, option, list);
}

CURLcode sandglass_curl_set_error_buffer(CURL *easy, char *buffer) {
    return curl.easy_setopt(easy, CURLOPT_ERRORBUFFER, buffer);
}

CURLcode sandglass_curl_set_callbacks(
    CURL *easy, curl_write_callback head, curl_write_callback body, curl_read_callback read, curl_seek_callback seek,
    void *context
) {
    CURLcode code = curl.easy_setopt(easy, CURLOPT_HEADERFUNCTION, head);
    if (code == CURLE_OK) code = curl.easy_setopt(easy, CURLOPT_HEADERDATA, context);
    if (code == CURLE_OK) code = curl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, body);
    if (code == CURLE_OK) code = curl.easy_setopt(easy, CURLOPT_WRITEDATA, context);
    if (code == CURLE_OK) code = curl.easy_setopt(easy, CURLOPT_READFUNCTION, read);
    if (code == CURLE_OK) code = curl.easy_setopt(easy, CURLOPT_READDATA, context);
    if (code == CURLE_OK) code = curl.easy_setopt(easy, CURLOPT_SEEKFUNCTION, seek);
    if (code == CURLE_OK) code = curl.easy_setopt(easy, CURLOPT_SEEKDATA, context);
    return code;
}

CURLcode sandglass_curl_get_long(CURL *easy, CURLINFO info, long *value) {
    return curl.easy_getinfo(easy, info, value);
}
