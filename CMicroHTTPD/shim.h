// libmicrohttpd for Swift: the library's own header, and what of it Swift cannot call as it is.
#pragma once

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/// What MHD calls. One context for all of them.
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

// Exists because MHD_start_daemon is variadic, which Swift does not import.
//
// The flags leave out MHD_USE_INTERNAL_POLLING_THREAD, so MHD starts no thread, and MHD_USE_ERROR_LOG,
// so it writes nothing to standard error; without a listening socket it accepts nobody, which our Acceptor does. With
// MHD_USE_TURBO it tries to read before it is told that it can, and does not shut a socket down before it closes it: so the
// last word can be ours where MHD says nothing. It has no timeout of its own: it counts each byte as a sign of life, in all
// phases alike. MHD itself drops the MHD_USE_ITC that MHD_ALLOW_SUSPEND_RESUME
// implies: without a thread of its own there is nobody to wake.
static inline struct MHD_Daemon *sandglass_mhd_start(struct sandglass_mhd_limits limits,
                                                     struct sandglass_mhd_callbacks callbacks, const void *certificate,
                                                     const void *key) {
    unsigned int flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET;
    // A TLS stream has an end of its own, which MHD_USE_TURBO would leave out (RFC 9112, 9.8).
    flags |= key == NULL ? MHD_USE_TURBO : MHD_USE_TLS;
    // No TLS before 1.2, no key exchange without forward secrecy, no CBC (RFC 9325, 4.1 and 4.2).
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
                            // Without it MHD avoids sendfile(2), the one call that cannot be told MSG_NOSIGNAL.
                            MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
                            MHD_OPTION_ARRAY, key == NULL ? none : tls, MHD_OPTION_END);
}

// Exist because MHD_get_daemon_info and MHD_get_connection_info are variadic.

static inline int sandglass_mhd_epoll_descriptor(struct MHD_Daemon *daemon) {
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
    return info == NULL ? -1 : info->epoll_fd;
}

static inline int sandglass_mhd_socket(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info == NULL ? -1 : info->connect_fd;
}

/// The client's address; its family says how long it is.
static inline const struct sockaddr *sandglass_mhd_client_address(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return info == NULL ? NULL : info->client_addr;
}

/// What the connection callback left for this connection.
static inline void *sandglass_mhd_context(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info == NULL ? NULL : info->socket_context;
}

/// Bytes from the first one of the request line to the end of the empty line.
static inline size_t sandglass_mhd_header_bytes(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return info == NULL ? 0 : info->header_size;
}

// Exists because MHD_set_connection_option is variadic.
static inline void sandglass_mhd_set_timeout(struct MHD_Connection *connection, unsigned int seconds) {
    (void)MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, seconds);
}

// Exists because MHD_get_timeout's `unsigned long long *` and two-part answer are one value to us:
// milliseconds, or -1 when MHD waits for events only.
static inline int64_t sandglass_mhd_timeout(struct MHD_Daemon *daemon) {
    unsigned long long milliseconds = 0;
    if (MHD_get_timeout(daemon, &milliseconds) != MHD_YES) return -1;
    return milliseconds > INT64_MAX ? INT64_MAX : (int64_t)milliseconds;
}

// Exist because Swift does not import MHD_SIZE_UNKNOWN, MHD_CONTENT_READER_END_OF_STREAM and
// MHD_CONTENT_READER_END_WITH_ERROR, which are casts of -1 and -2.

static inline struct MHD_Response *sandglass_mhd_create_stream(size_t bytes, MHD_ContentReaderCallback read,
                                                               void *context, MHD_ContentReaderFreeCallback done) {
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, bytes, read, context, done);
}

// Exists because MHD_set_response_options is variadic. A stream that answers HEAD: MHD would write the last chunk of a body that
// it does not send. So it is told not to use chunks, and to close the connection.
static inline void sandglass_mhd_answer_head(struct MHD_Response *response) {
    (void)MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
}

static inline ssize_t sandglass_mhd_end_of_stream(void) { return MHD_CONTENT_READER_END_OF_STREAM; }

static inline ssize_t sandglass_mhd_end_with_error(void) { return MHD_CONTENT_READER_END_WITH_ERROR; }

// Exists because Swift has no const to cast away. MHD would cut the query into items of 64 bytes each, of which
// a few hundred exhaust its memory for the connection, and the request is never answered. It is about to
// write into this text itself; where it finds nothing after the question mark it cuts nothing.
static inline void sandglass_mhd_hide_query(const char *target) {
    char *mark = (char *)strchr(target, '?');
    if (mark != NULL) mark[1] = '\0';
}

/// Whether the running library is 0.9.75, whose request lines and header lines stay where they were
/// received: the addresses it hands out tell what it does not say (see RequestHead.swift).
static inline bool sandglass_mhd_keeps_lines_in_place(void) {
    return strcmp(MHD_get_version(), "0.9.75") == 0;
}
