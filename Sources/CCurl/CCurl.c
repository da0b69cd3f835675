#define _GNU_SOURCE
#define CURL_DISABLE_TYPECHECK
#include "CCurl.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Debian's with GnuTLS first, which the program has in it anyway by way of libmicrohttpd.
static const char *const names[] = {"libcurl-gnutls.so.4", "libcurl.so.4"};

static struct {
    void *library;
    __typeof__(curl_global_init) *global_init;
    __typeof__(curl_easy_init) *easy_init;
    __typeof__(curl_easy_cleanup) *easy_cleanup;
    __typeof__(curl_easy_reset) *easy_reset;
    __typeof__(curl_easy_setopt) *easy_setopt;
    __typeof__(curl_easy_getinfo) *easy_getinfo;
    __typeof__(curl_easy_strerror) *easy_strerror;
    __typeof__(curl_multi_init) *multi_init;
    __typeof__(curl_multi_cleanup) *multi_cleanup;
    __typeof__(curl_multi_add_handle) *multi_add_handle;
    __typeof__(curl_multi_remove_handle) *multi_remove_handle;
    __typeof__(curl_multi_perform) *multi_perform;
    __typeof__(curl_multi_poll) *multi_poll;
    __typeof__(curl_multi_info_read) *multi_info_read;
    __typeof__(curl_slist_append) *slist_append;
    __typeof__(curl_slist_free_all) *slist_free_all;
} curl;

static const struct {
    const char *name;
    void *place;
} symbols[] = {
    {"curl_global_init", &curl.global_init},
    {"curl_easy_init", &curl.easy_init},
    {"curl_easy_cleanup", &curl.easy_cleanup},
    {"curl_easy_reset", &curl.easy_reset},
    {"curl_easy_setopt", &curl.easy_setopt},
    {"curl_easy_getinfo", &curl.easy_getinfo},
    {"curl_easy_strerror", &curl.easy_strerror},
    {"curl_multi_init", &curl.multi_init},
    {"curl_multi_cleanup", &curl.multi_cleanup},
    {"curl_multi_add_handle", &curl.multi_add_handle},
    {"curl_multi_remove_handle", &curl.multi_remove_handle},
    {"curl_multi_perform", &curl.multi_perform},
    {"curl_multi_poll", &curl.multi_poll},
    {"curl_multi_info_read", &curl.multi_info_read},
    {"curl_slist_append", &curl.slist_append},
    {"curl_slist_free_all", &curl.slist_free_all},
};

struct sandglass_curl {
    CURLM *multi;
    CURL *easy;
    const char *user_agent;
    char *ca_file;
    long connect_seconds;

    // The request.
    bool is_under_way;
    struct curl_slist *headers;
    char *bytes;
    int file;
    bool file_changed;
    int64_t byte_count;
    int64_t sent;

    // The answer.
    CURLcode code;
    long status;
    char *head;
    size_t head_count;
    char *body;
    size_t body_count;
    size_t body_capacity;
    uint64_t traffic;
    char reason[CURL_ERROR_SIZE];
};

// An answer with more header bytes than this is not this service's.
enum { MOST_HEAD_BYTES = 64 << 10 };

const char *sandglass_curl_open(void) {
    if (curl.library != NULL) return NULL;
    void *library = NULL;
    for (size_t i = 0; library == NULL && i < sizeof names / sizeof *names; i++)
        library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) return dlerror();
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
        void *symbol = dlsym(library, symbols[i].name);
        if (symbol == NULL) return dlerror();
        // POSIX wants a function's address to fit a pointer to data; C has no cast for it.
        memcpy(symbols[i].place, &symbol, sizeof symbol);
    }
    if (curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return "curl_global_init failed";
    curl.library = library;
    return NULL;
}

struct sandglass_curl *sandglass_curl_new(const char *user_agent, const char *ca_file, int connect_seconds) {
    struct sandglass_curl *client = calloc(1, sizeof *client);
    if (client == NULL) return NULL;
    client->multi = curl.multi_init();
    client->easy = curl.easy_init();
    client->user_agent = strdup(user_agent);
    client->ca_file = ca_file == NULL ? NULL : strdup(ca_file);
    client->connect_seconds = connect_seconds;
    if (client->multi != NULL && client->easy != NULL && client->user_agent != NULL
        && (ca_file == NULL || client->ca_file != NULL))
        return client;
    sandglass_curl_free(client);
    return NULL;
}

void sandglass_curl_free(struct sandglass_curl *client) {
    sandglass_curl_cancel(client);
    if (client->easy != NULL) curl.easy_cleanup(client->easy);
    if (client->multi != NULL) curl.multi_cleanup(client->multi);
    free((void *)client->user_agent);
    free(client->ca_file);
    free(client->head);
    free(client->body);
    free(client);
}

static size_t head_came(char *line, size_t size, size_t count, void *context) {
    struct sandglass_curl *client = context;
    size_t bytes = size * count;
    client->traffic++;
    // A status line begins another answer: the one before was an interim one.
    if (bytes >= 5 && memcmp(line, "HTTP/", 5) == 0) client->head_count = 0;
    if (bytes > MOST_HEAD_BYTES - client->head_count) return 0;
    memcpy(client->head + client->head_count, line, bytes);
    client->head_count += bytes;
    return bytes;
}

static size_t body_came(char *part, size_t size, size_t count, void *context) {
    struct sandglass_curl *client = context;
    size_t bytes = size * count;
    client->traffic++;
    if (bytes > client->body_capacity - client->body_count) {
        size_t capacity = 2 * (client->body_count + bytes);
        char *body = realloc(client->body, capacity);
        if (body == NULL) return 0;
        client->body = body;
        client->body_capacity = capacity;
    }
    memcpy(client->body + client->body_count, part, bytes);
    client->body_count += bytes;
    return bytes;
}

static size_t body_wanted(char *space, size_t size, size_t count, void *context) {
    struct sandglass_curl *client = context;
    size_t room = size * count;
    client->traffic++;
    if ((int64_t)room > client->byte_count - client->sent) room = (size_t)(client->byte_count - client->sent);
    if (room == 0) return 0;
    if (client->bytes != NULL) {
        memcpy(space, client->bytes + client->sent, room);
    } else {
        ssize_t got;
        do got = pread(client->file, space, room, client->sent);
        while (got < 0 && errno == EINTR);
        if (got <= 0) {
            // Fewer bytes than were announced: the other side would wait for the rest.
            client->file_changed = true;
            return CURL_READFUNC_ABORT;
        }
        room = (size_t)got;
    }
    client->sent += (int64_t)room;
    return room;
}

// A kept connection that turns out to be closed: libcurl sends the body again.
static int body_seeks(void *context, curl_off_t offset, int origin) {
    struct sandglass_curl *client = context;
    if (origin != SEEK_SET || offset < 0 || offset > client->byte_count) return CURL_SEEKFUNC_FAIL;
    client->sent = offset;
    return CURL_SEEKFUNC_OK;
}

static bool set_options(struct sandglass_curl *client, const struct sandglass_curl_request *request) {
    CURL *easy = client->easy;
    CURLcode code = CURLE_OK;
#define SET(option, value) \
    if (code == CURLE_OK) code = curl.easy_setopt(easy, option, value)
    SET(CURLOPT_URL, request->url);
    SET(CURLOPT_CUSTOMREQUEST, request->method);
    SET(CURLOPT_HTTPHEADER, client->headers);
    SET(CURLOPT_USERAGENT, client->user_agent);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    // No signal handlers and no SIGALRM: signals are the owner's.
    SET(CURLOPT_NOSIGNAL, 1L);
    // The owner does not want its headers to go where an answer says, and has made the path itself.
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(CURLOPT_CONNECTTIMEOUT, client->connect_seconds);
    SET(CURLOPT_ERRORBUFFER, client->reason);
    SET(CURLOPT_HEADERFUNCTION, head_came);
    SET(CURLOPT_HEADERDATA, client);
    SET(CURLOPT_WRITEFUNCTION, body_came);
    SET(CURLOPT_WRITEDATA, client);
    if (client->ca_file != NULL) {
        SET(CURLOPT_CAINFO, client->ca_file);
        SET(CURLOPT_CAPATH, NULL);
    }
    if (strcmp(request->method, "HEAD") == 0) SET(CURLOPT_NOBODY, 1L);
    if (request->byte_count >= 0) {
        SET(CURLOPT_UPLOAD, 1L);
        SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->byte_count);
        SET(CURLOPT_READFUNCTION, body_wanted);
        SET(CURLOPT_READDATA, client);
        SET(CURLOPT_SEEKFUNCTION, body_seeks);
        SET(CURLOPT_SEEKDATA, client);
    }
#undef SET
    return code == CURLE_OK;
}

bool sandglass_curl_begin(struct sandglass_curl *client, const struct sandglass_curl_request *request) {
    curl.easy_reset(client->easy);
    client->file = request->file;
    client->byte_count = request->byte_count;
    client->file_changed = false;
    client->sent = 0;
    client->code = CURLE_OK;
    client->status = 0;
    client->head_count = 0;
    client->body_count = 0;
    client->reason[0] = '\0';
    if (request->bytes != NULL) {
        // One more, for there may be none.
        client->bytes = malloc((size_t)request->byte_count + 1);
        if (client->bytes == NULL) return false;
        memcpy(client->bytes, request->bytes, (size_t)request->byte_count);
    }
    if (client->head == NULL && (client->head = malloc(MOST_HEAD_BYTES)) == NULL) return false;
    for (size_t i = 0; i < request->header_count; i++) {
        struct curl_slist *longer = curl.slist_append(client->headers, request->headers[i]);
        if (longer == NULL) return false;
        client->headers = longer;
    }
    if (!set_options(client, request)) return false;
    client->is_under_way = curl.multi_add_handle(client->multi, client->easy) == CURLM_OK;
    return client->is_under_way;
}

void sandglass_curl_cancel(struct sandglass_curl *client) {
    if (client->is_under_way) (void)curl.multi_remove_handle(client->multi, client->easy);
    client->is_under_way = false;
    if (client->headers != NULL) curl.slist_free_all(client->headers);
    client->headers = NULL;
    free(client->bytes);
    client->bytes = NULL;
}

bool sandglass_curl_step(struct sandglass_curl *client, int other, int milliseconds, bool *other_is_ready) {
    *other_is_ready = false;
    if (!client->is_under_way) return true;
    int running = 0;
    CURLMcode code = curl.multi_perform(client->multi, &running);
    (void)curl.easy_getinfo(client->easy, CURLINFO_RESPONSE_CODE, &client->status);
    int left = 0;
    for (CURLMsg *message; (message = curl.multi_info_read(client->multi, &left)) != NULL;) {
        if (message->msg != CURLMSG_DONE) continue;
        client->code = message->data.result;
        sandglass_curl_cancel(client);
        return true;
    }
    if (code == CURLM_OK) {
        struct curl_waitfd extra = {.fd = other, .events = CURL_WAIT_POLLIN};
        // Whoever has something to take does not wait, and yet hears of the other descriptor.
        int patience = client->body_count > 0 ? 0 : milliseconds;
        code = curl.multi_poll(client->multi, &extra, other < 0 ? 0 : 1, patience, NULL);
        *other_is_ready = extra.revents != 0;
    }
    if (code == CURLM_OK) return false;
    client->code = CURLE_FAILED_INIT;
    sandglass_curl_cancel(client);
    return true;
}

enum sandglass_curl_end sandglass_curl_end(const struct sandglass_curl *client) {
    if (client->file_changed) return SANDGLASS_CURL_FILE_CHANGED;
    switch (client->code) {
    case CURLE_OK: return SANDGLASS_CURL_ANSWERED;
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT: return SANDGLASS_CURL_UNREACHABLE;
    // The only time limit that libcurl keeps here is that of making a connection.
    case CURLE_OPERATION_TIMEDOUT: return SANDGLASS_CURL_UNREACHABLE;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SEND_FAIL_REWIND: return SANDGLASS_CURL_BROKEN_OFF;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR: return SANDGLASS_CURL_UNTRUSTED;
    default: return SANDGLASS_CURL_FAILED;
    }
}

const char *sandglass_curl_reason(const struct sandglass_curl *client) {
    return client->reason[0] != '\0' ? client->reason : curl.easy_strerror(client->code);
}

int sandglass_curl_status(const struct sandglass_curl *client) { return (int)client->status; }

const char *sandglass_curl_head(const struct sandglass_curl *client, size_t *count) {
    *count = client->head_count;
    return client->head;
}

const void *sandglass_curl_body(const struct sandglass_curl *client, size_t *count) {
    *count = client->body_count;
    return client->body;
}

void sandglass_curl_drop_body(struct sandglass_curl *client) { client->body_count = 0; }

int64_t sandglass_curl_sent(const struct sandglass_curl *client) { return client->sent; }

uint64_t sandglass_curl_traffic(const struct sandglass_curl *client) { return client->traffic; }
