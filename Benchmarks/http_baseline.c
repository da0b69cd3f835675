// The peer of P4: the minimum cost of a response with libmicrohttpd. One thread with epoll sends one prepared
// response with the given bytes for every GET.
//
//     http_baseline FILE CONTENT-TYPE
//
// Prints `listening on http://127.0.0.1:PORT` on standard error, like the service. Ends on SIGTERM or SIGINT, with
// its parent process, or after ten minutes.
#define _GNU_SOURCE
#include "measure.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>

enum { MAXIMUM_BYTES = 16 << 20, LIFETIME_SECONDS = 600 };

// Queues the response at the second call. At the first call the library has not yet seen the end of the request, and
// a response at that point costs the connection its keep-alive.
static enum MHD_Result handle(
    void *response, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
    const char *upload, size_t *upload_size, void **state
) {
    static char seen;
    (void)url, (void)version, (void)upload, (void)upload_size;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0) return MHD_NO;
    if (*state == NULL) {
        *state = &seen;
        return MHD_YES;
    }
    return MHD_queue_response(connection, MHD_HTTP_OK, response);
}

static struct MHD_Response *prepare(const char *path, const char *content_type) {
    FILE *file = fopen(path, "re");
    if (file == NULL) fail(path);
    char *bytes = malloc(MAXIMUM_BYTES);
    if (bytes == NULL) fail("malloc");
    size_t count = fread(bytes, 1, MAXIMUM_BYTES, file);
    if (ferror(file) || !feof(file)) fail(path);
    fclose(file);
    struct MHD_Response *response = MHD_create_response_from_buffer(count, bytes, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) fail("MHD_create_response_from_buffer");
    if (MHD_add_response_header(response, "Content-Type", content_type) != MHD_YES) fail("MHD_add_response_header");
    return response;
}

// Blocks the signals that end this program before the daemon's thread exists, so that only sigwait() gets them.
static sigset_t block_ends(void) {
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGALRM);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    return ends;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: http_baseline FILE CONTENT-TYPE\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigset_t ends = block_ends();
    struct MHD_Response *response = prepare(argv[1], argv[2]);
    struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, handle, response, MHD_OPTION_SOCK_ADDR,
        &loopback, MHD_OPTION_END
    );
    if (daemon == NULL) fail("MHD_start_daemon");
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    fprintf(stderr, "listening on http://127.0.0.1:%u\n", info->port);

    alarm(LIFETIME_SECONDS);
    int signal = 0;
    sigwait(&ends, &signal);
    MHD_stop_daemon(daemon);
    MHD_destroy_response(response);
    return 0;
}
