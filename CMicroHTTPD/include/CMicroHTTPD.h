// libmicrohttpd for Swift: the library's own header, functions in place of those that Swift cannot call, and the hook
// for the library's own error pages.
#pragma once

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/// The functions that MHD calls, all of them with the same context.
struct sandglass_mhd_callbacks {
    void *context;
    MHD_AccessHandlerCallback access;
    MHD_RequestCompletedCallback completed;
    MHD_NotifyConnectionCallback connection;
    void *(*target)(void *context, const char *target, struct MHD_Connection *connection);
    size_t (*unescape)(void *context, struct MHD_Connection *connection, char *text);
};

struct sandglass_mhd_limits {
    unsigned int connections;
    size_t connection_bytes;
};

// This function exists because MHD_start_daemon is variadic, which Swift does not import.
//
// The flags leave out MHD_USE_INTERNAL_POLLING_THREAD, so MHD starts no thread, and MHD_USE_ERROR_LOG, so it writes
// nothing to standard error. MHD_USE_NO_LISTEN_SOCKET leaves accepting connections to our Acceptor. MHD_USE_TURBO makes
// MHD try to read before epoll reports a socket readable, and skip shutdown(2) before close(2). So this program can
// send a last response where MHD sends none. The daemon has no timeout: MHD would count each byte as activity, in all
// phases alike. MHD_ALLOW_SUSPEND_RESUME implies MHD_USE_ITC, but MHD drops MHD_USE_ITC by itself, because MHD has no
// thread that would have to be woken.
static inline struct MHD_Daemon *sandglass_mhd_start(struct sandglass_mhd_limits limits,
                                                     struct sandglass_mhd_callbacks callbacks, const void *certificate,
                                                     const void *key) {
    unsigned int flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET;
    // A TLS stream has its own end-of-stream message, which MHD_USE_TURBO would leave out (RFC 9112, 9.8).
    flags |= key == NULL ? MHD_USE_TURBO : MHD_USE_TLS;
    // The priorities exclude TLS before 1.2, key exchange without forward secrecy, and CBC (RFC 9325, 4.1 and 4.2).
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)certificate},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)key},
        {MHD_OPTION_HTTPS_PRIORITIES, 0,
         (void *)"SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-AES-128-CBC:-AES-256-CBC:%SERVER_PRECEDENCE"},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    return MHD_start_daemon(flags, 0, NULL, NULL, callbacks.access, callbacks.context,
                            MHD_OPTION_CONNECTION_LIMIT, limits.connections,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, limits.connection_bytes,
                            MHD_OPTION_NOTIFY_COMPLETED, callbacks.completed, callbacks.context,
                            MHD_OPTION_NOTIFY_CONNECTION, callbacks.connection, callbacks.context,
                            MHD_OPTION_URI_LOG_CALLBACK, callbacks.target, callbacks.context,
                            MHD_OPTION_UNESCAPE_CALLBACK, callbacks.unescape, callbacks.context,
                            // Without this option MHD avoids sendfile(2), the one call that takes no MSG_NOSIGNAL.
                            MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
                            MHD_OPTION_ARRAY, key == NULL ? none : tls, MHD_OPTION_END);
}

// These functions exist because MHD_get_daemon_info and MHD_get_connection_info are variadic.

static inline int sandglass_mhd_epoll_descriptor(struct MHD_Daemon *daemon) {
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
    return info == NULL ? -1 : info->epoll_fd;
}

static inline int sandglass_mhd_socket(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info == NULL ? -1 : info->connect_fd;
}

/// Returns the client's address. Its family determines its length.
static inline const struct sockaddr *sandglass_mhd_client_address(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return info == NULL ? NULL : info->client_addr;
}

/// Returns the pointer that the connection callback stored for this connection.
static inline void *sandglass_mhd_context(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info == NULL ? NULL : info->socket_context;
}

/// Returns the number of bytes from the first one of the request line to the end of the empty line.
static inline size_t sandglass_mhd_header_bytes(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return info == NULL ? 0 : info->header_size;
}

// This function exists because MHD_set_connection_option is variadic.
static inline void sandglass_mhd_set_timeout(struct MHD_Connection *connection, unsigned int seconds) {
    (void)MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, seconds);
}

// This function exists because MHD_get_timeout returns a flag and an `unsigned long long *`. Swift needs one value:
// milliseconds, or -1 if MHD only waits for events.
static inline int64_t sandglass_mhd_timeout(struct MHD_Daemon *daemon) {
    unsigned long long milliseconds = 0;
    if (MHD_get_timeout(daemon, &milliseconds) != MHD_YES) return -1;
    return milliseconds > INT64_MAX ? INT64_MAX : (int64_t)milliseconds;
}

// These functions exist because Swift does not import MHD_SIZE_UNKNOWN, MHD_CONTENT_READER_END_OF_STREAM and
// MHD_CONTENT_READER_END_WITH_ERROR, which are casts of -1 and -2.

static inline struct MHD_Response *sandglass_mhd_create_stream(size_t bytes, MHD_ContentReaderCallback read,
                                                               void *context, MHD_ContentReaderFreeCallback done) {
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, bytes, read, context, done);
}

static inline ssize_t sandglass_mhd_end_of_stream(void) { return MHD_CONTENT_READER_END_OF_STREAM; }

static inline ssize_t sandglass_mhd_end_with_error(void) { return MHD_CONTENT_READER_END_WITH_ERROR; }

// This function exists because MHD_set_response_options is variadic. In a stream that responds to HEAD, MHD would write
// the last chunk of a body that it does not send. The option makes MHD use no chunks and close the connection.
static inline void sandglass_mhd_disable_chunks(struct MHD_Response *response) {
    (void)MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
}

// This function exists because Swift cannot cast const away. MHD would split the query into items of 64 bytes each. A
// few hundred items exhaust MHD's memory for the connection, and the request never gets a response. MHD itself writes
// into this text right after this call. If MHD finds nothing after the question mark, it splits nothing.
static inline void sandglass_mhd_hide_query(const char *target) {
    char *mark = (char *)strchr(target, '?');
    if (mark != NULL) mark[1] = '\0';
}

/// Returns true if the running library is 0.9.75, which keeps request lines and header lines where it received them.
/// The addresses that it passes on then show differences that the texts hide (see RequestHead.swift).
static inline bool sandglass_mhd_keeps_lines_in_place(void) {
    return strcmp(MHD_get_version(), "0.9.75") == 0;
}

// libmicrohttpd has no callback for the responses that it makes by itself: see error_pages.c.

/// Called inside MHD_run before MHD queues an error page of its own. May replace the page by another response. Returns
/// false to queue none, after which MHD closes the connection.
typedef bool (*sandglass_mhd_error_page_hook)(struct MHD_Connection *connection, unsigned int status,
                                              struct MHD_Response **response);

/// Sets the hook of all daemons; must be called before the first one starts. Returns false if this process has no other
/// MHD_queue_response.
bool sandglass_mhd_set_error_page_hook(sandglass_mhd_error_page_hook hook);

/// Calls the library's MHD_queue_response, for this program's own responses.
enum MHD_Result sandglass_mhd_queue_response(struct MHD_Connection *connection, unsigned int status,
                                             struct MHD_Response *response);
