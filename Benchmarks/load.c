// A closed-loop HTTP/1.1 client for loopback. Each of the keep-alive connections sends its next request when its last
// response is complete. It uses one thread with epoll and sends a bounded number of requests.
//
//     load --port PORT [--in-flight K] [--count N] [--bodies FILE | --get PATH]
//          [--path PATH] [--status CODE] [--outcome NAME] [--subtract SECONDS]
//          [--report FILE] [--timeout SECONDS]
//
// Without --get it POSTs the lines of --bodies to --path (/runs?wait=30) in turn. Each response must have the given
// status and, if --outcome is set, that outcome. Other responses are counted as unexpected, and the first one is
// printed. The latency is the time from just before the send to the complete response. --subtract subtracts a limit
// from every latency, which gives the overshoot. --report receives one line per response: request number,
// nanoseconds, status, body.
#define _GNU_SOURCE
#include "measure.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAXIMUM_IN_FLIGHT = 1024, MAXIMUM_REQUESTS = 10000000, MAXIMUM_RESPONSE_BYTES = 64 << 20 };

struct options {
    long port, in_flight, count, status;
    int64_t subtract, timeout;
    const char *bodies, *get, *path, *outcome, *report;
};

struct bytes {
    char *data;
    size_t count, capacity;
};

struct connection {
    int fd;
    long request; // number of the request that it carries
    size_t sent;
    int64_t start;
    struct bytes response;
};

struct load {
    struct options options;
    struct bytes *requests; // complete requests, with headers and body
    long distinct;
    long started, ended, unexpected;
    int64_t *latencies;
    FILE *report;
    int epoll;
};

// MARK: Options

static void usage(void) {
    fprintf(
        stderr,
        "usage: load --port PORT [--in-flight K] [--count N] "
        "(--bodies FILE [--path PATH] | --get PATH) [--status CODE] [--outcome NAME] "
        "[--subtract SECONDS] [--report FILE] [--timeout SECONDS]\n"
    );
    exit(2);
}

static struct options parse(int argc, char **argv) {
    static const struct option names[] = {
        {"port", required_argument, NULL, 'p'},     {"in-flight", required_argument, NULL, 'k'},
        {"count", required_argument, NULL, 'n'},    {"bodies", required_argument, NULL, 'b'},
        {"get", required_argument, NULL, 'g'},      {"path", required_argument, NULL, 'u'},
        {"status", required_argument, NULL, 's'},   {"outcome", required_argument, NULL, 'o'},
        {"subtract", required_argument, NULL, 'm'}, {"report", required_argument, NULL, 'r'},
        {"timeout", required_argument, NULL, 'w'},  {NULL, 0, NULL, 0},
    };
    struct options o = {.in_flight = 1, .count = 1, .path = "/runs?wait=30", .timeout = 300 * (int64_t)1000000000};
    int name;
    while ((name = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (name) {
        case 'p': o.port = whole_number(optarg, 1, 65535); break;
        case 'k': o.in_flight = whole_number(optarg, 1, MAXIMUM_IN_FLIGHT); break;
        case 'n': o.count = whole_number(optarg, 1, MAXIMUM_REQUESTS); break;
        case 'b': o.bodies = optarg; break;
        case 'g': o.get = optarg; break;
        case 'u': o.path = optarg; break;
        case 's': o.status = whole_number(optarg, 100, 599); break;
        case 'o': o.outcome = optarg; break;
        case 'm': o.subtract = seconds_as_ns(optarg); break;
        case 'r': o.report = optarg; break;
        case 'w': o.timeout = seconds_as_ns(optarg); break;
        default: usage();
        }
    }
    if (o.port == 0 || optind != argc || (o.bodies == NULL) == (o.get == NULL)) usage();
    if (o.status == 0) o.status = o.get != NULL ? 200 : 201;
    if (o.in_flight > o.count) o.in_flight = o.count;
    return o;
}

// MARK: Requests

static struct bytes post(const struct options *o, const char *body) {
    char *text = NULL;
    int count = asprintf(
        &text,
        "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%ld\r\n"
        "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
        o->path, o->port, strlen(body), body
    );
    if (count < 0) fail("asprintf");
    return (struct bytes){.data = text, .count = (size_t)count};
}

static struct bytes get(const struct options *o) {
    char *text = NULL;
    int count = asprintf(&text, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%ld\r\n\r\n", o->get, o->port);
    if (count < 0) fail("asprintf");
    return (struct bytes){.data = text, .count = (size_t)count};
}

static void add_request(struct load *load, struct bytes request) {
    load->requests = realloc(load->requests, (size_t)(load->distinct + 1) * sizeof request);
    if (load->requests == NULL) fail("realloc");
    load->requests[load->distinct++] = request;
}

// Builds all requests before the first one is sent, so that building is not part of a latency.
static void prepare_requests(struct load *load) {
    const struct options *o = &load->options;
    if (o->get != NULL) {
        add_request(load, get(o));
        return;
    }
    FILE *file = fopen(o->bodies, "re");
    if (file == NULL) fail(o->bodies);
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, file) > 0) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] != '\0') add_request(load, post(o, line));
    }
    free(line);
    fclose(file);
    if (load->distinct == 0) {
        fprintf(stderr, "%s contains no request body\n", o->bodies);
        exit(2);
    }
}

// MARK: Responses

// Returns the value of a header as a pointer into the head, which is NUL-terminated, or NULL.
static const char *header(const char *head, const char *name) {
    size_t length = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, length) != 0 || line[2 + length] != ':') continue;
        return line + 3 + length + strspn(line + 3 + length, " \t");
    }
    return NULL;
}

struct response {
    long status;
    const char *body;
    size_t body_count;
};

// Returns true when the whole response has arrived. The head is a C string only inside this function.
static bool complete(struct bytes *in, struct response *response) {
    char *end = memmem(in->data, in->count, "\r\n\r\n", 4);
    if (end == NULL) return false;
    size_t head = (size_t)(end - in->data) + 4;
    char saved = end[2];
    end[2] = '\0';
    const char *length = header(in->data, "content-length");
    long body = length != NULL ? strtol(length, NULL, 10) : -1;
    if (strncmp(in->data, "HTTP/1.1 ", 9) != 0 || body < 0 || body > MAXIMUM_RESPONSE_BYTES) {
        fprintf(stderr, "a response without HTTP/1.1 or without a usable Content-Length:\n%s\n", in->data);
        exit(1);
    }
    response->status = strtol(in->data + 9, NULL, 10);
    end[2] = saved;
    response->body = in->data + head;
    response->body_count = (size_t)body;
    if (in->count > head + (size_t)body) {
        fprintf(stderr, "the server sent bytes after the end of the response\n");
        exit(1);
    }
    return in->count == head + (size_t)body;
}

// Finds the first `"outcome": "NAME"`. Quotation marks in captured text are escaped, so captured text cannot match.
static bool has_outcome(const struct response *response, const char *name) {
    static const char member[] = "\"outcome\"";
    const char *end = response->body + response->body_count;
    const char *at = memmem(response->body, response->body_count, member, sizeof member - 1);
    if (at == NULL) return false;
    at += sizeof member - 1;
    while (at < end && (isspace((unsigned char)*at) || *at == ':')) at++;
    size_t length = strlen(name);
    return (size_t)(end - at) > length + 1 && at[0] == '"' && memcmp(at + 1, name, length) == 0
        && at[1 + length] == '"';
}

static void verify(struct load *load, const struct response *response) {
    const struct options *o = &load->options;
    bool is_expected = response->status == o->status && (o->outcome == NULL || has_outcome(response, o->outcome));
    if (is_expected || load->unexpected++ > 0) return;
    int shown = response->body_count < 600 ? (int)response->body_count : 600;
    fprintf(stderr, "unexpected response, status %ld: %.*s\n", response->status, shown, response->body);
}

// A line feed in JSON is white space between tokens, so a space may replace it.
static void report(struct load *load, const struct connection *c, const struct response *response, int64_t latency) {
    if (load->report == NULL) return;
    fprintf(load->report, "%ld %lld %ld ", c->request, (long long)latency, response->status);
    for (size_t i = 0; i < response->body_count; i++) {
        char byte = response->body[i];
        putc_unlocked(byte == '\n' || byte == '\r' ? ' ' : byte, load->report);
    }
    putc_unlocked('\n', load->report);
}

// MARK: Connections

static void watch(struct load *load, struct connection *c, uint32_t events, int operation) {
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (epoll_ctl(load->epoll, operation, c->fd, &event) != 0) fail("epoll_ctl");
}

static void connect_to(struct load *load, struct connection *c) {
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)load->options.port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
    };
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0) fail("socket");
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0) fail("connect");
    int on = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0) fail("fcntl");
    watch(load, c, EPOLLIN, EPOLL_CTL_ADD);
}

// Sends the rest of the request. Waits for EPOLLOUT only when the socket buffer is full.
static void send_rest(struct load *load, struct connection *c) {
    const struct bytes *request = &load->requests[c->request % load->distinct];
    while (c->sent < request->count) {
        ssize_t n = send(c->fd, request->data + c->sent, request->count - c->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            watch(load, c, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
            return;
        }
        if (n < 0) fail("send");
        c->sent += (size_t)n;
        if (c->sent == request->count && n < (ssize_t)request->count) watch(load, c, EPOLLIN, EPOLL_CTL_MOD);
    }
}

static void start_next(struct load *load, struct connection *c) {
    if (load->started == load->options.count) {
        close(c->fd); // also removes it from the epoll set
        return;
    }
    c->request = load->started++;
    c->sent = 0;
    c->response.count = 0;
    c->start = now_ns();
    send_rest(load, c);
}

static void make_room(struct bytes *in) {
    if (in->capacity - in->count >= 65536) return;
    in->capacity = in->capacity == 0 ? 131072 : in->capacity * 2;
    if (in->capacity > 2 * (size_t)MAXIMUM_RESPONSE_BYTES) {
        fprintf(stderr, "a response is larger than %d bytes\n", 2 * MAXIMUM_RESPONSE_BYTES);
        exit(1);
    }
    in->data = realloc(in->data, in->capacity);
    if (in->data == NULL) fail("realloc");
}

static void finish(struct load *load, struct connection *c, const struct response *response) {
    int64_t latency = now_ns() - c->start;
    load->latencies[load->ended++] = latency - load->options.subtract;
    verify(load, response);
    report(load, c, response, latency);
    start_next(load, c);
}

// Reads once. epoll is level-triggered and reports the rest again.
static void receive(struct load *load, struct connection *c) {
    struct bytes *in = &c->response;
    make_room(in);
    ssize_t n = recv(c->fd, in->data + in->count, in->capacity - in->count, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) fail("recv");
    if (n == 0) {
        fprintf(stderr, "the server closed a connection\n");
        exit(1);
    }
    in->count += (size_t)n;
    struct response response;
    if (complete(in, &response)) finish(load, c, &response);
}

static void run(struct load *load, struct connection *connections, int64_t start) {
    struct epoll_event events[64];
    for (long i = 0; i < load->options.in_flight; i++) start_next(load, &connections[i]);
    while (load->ended < load->options.count) {
        int64_t left = start + load->options.timeout - now_ns();
        int n = left > 0 ? epoll_wait(load->epoll, events, 64, (int)(left / 1000000) + 1) : 0;
        if (n < 0 && errno != EINTR) fail("epoll_wait");
        if (n == 0) {
            fprintf(stderr, "only %ld of %ld responses arrived before the timeout\n", load->ended, load->options.count);
            exit(1);
        }
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (events[i].events & EPOLLOUT) send_rest(load, c);
            if (events[i].events & ~(uint32_t)EPOLLOUT) receive(load, c);
        }
    }
}

int main(int argc, char **argv) {
    struct load load = {.options = parse(argc, argv)};
    prepare_requests(&load);
    load.latencies = calloc((size_t)load.options.count, sizeof *load.latencies);
    struct connection *connections = calloc((size_t)load.options.in_flight, sizeof *connections);
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (load.latencies == NULL || connections == NULL || load.epoll < 0) fail("set-up");
    if (load.options.report != NULL && (load.report = fopen(load.options.report, "we")) == NULL)
        fail(load.options.report);
    for (long i = 0; i < load.options.in_flight; i++) connect_to(&load, &connections[i]);

    int64_t start = now_ns();
    run(&load, connections, start);
    int64_t whole = now_ns() - start;
    if (load.report != NULL && fclose(load.report) != 0) fail(load.options.report);
    print_times(load.latencies, load.options.count, whole);
    printf("unexpected %ld\n", load.unexpected);
    return load.unexpected > 0;
}
