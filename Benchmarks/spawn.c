// The peer without a service. Starts a command repeatedly, with a given concurrency. Measures the time from just
// before the start to the end of the wait.
//
//     spawn [--concurrency K] [--count N] [--status S] [--subtract SECONDS] [--report FILE] COMMAND...
//
// --status is the expected status as a shell shows it: the exit code, or 128 + the signal. --subtract subtracts a
// limit from every time. --report receives one line of nanoseconds per run.
#define _GNU_SOURCE
#include "measure.h"

#include <getopt.h>
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

enum { MAXIMUM_CONCURRENCY = 64, MAXIMUM_RUNS = 100000 };

struct options {
    long concurrency, count, status;
    int64_t subtract;
    const char *report;
    char **command;
};

struct running {
    pid_t pid;
    int64_t start;
};

static void usage(void) {
    fprintf(
        stderr,
        "usage: spawn [--concurrency K] [--count N] [--status S] [--subtract SECONDS] "
        "[--report FILE] COMMAND...\n"
    );
    exit(2);
}

static struct options parse(int argc, char **argv) {
    static const struct option names[] = {
        {"concurrency", required_argument, NULL, 'k'}, {"count", required_argument, NULL, 'n'},
        {"status", required_argument, NULL, 's'},      {"subtract", required_argument, NULL, 'm'},
        {"report", required_argument, NULL, 'r'},      {NULL, 0, NULL, 0},
    };
    struct options o = {.concurrency = 1, .count = 1};
    int name;
    while ((name = getopt_long(argc, argv, "+", names, NULL)) != -1) {
        switch (name) {
        case 'k': o.concurrency = whole_number(optarg, 1, MAXIMUM_CONCURRENCY); break;
        case 'n': o.count = whole_number(optarg, 1, MAXIMUM_RUNS); break;
        case 's': o.status = whole_number(optarg, 0, 255); break;
        case 'm': o.subtract = seconds_as_ns(optarg); break;
        case 'r': o.report = optarg; break;
        default: usage();
        }
    }
    if (optind == argc) usage();
    o.command = argv + optind;
    return o;
}

static void start(struct running *slot, char **command) {
    slot->start = now_ns();
    errno = posix_spawnp(&slot->pid, command[0], NULL, NULL, command, environ);
    if (errno != 0) fail(command[0]);
}

static struct running *wait_for_one(struct running *slots, const struct options *o) {
    int status = 0;
    pid_t pid = wait(&status);
    if (pid < 0) fail("wait");
    long shown = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (shown != o->status) {
        fprintf(stderr, "%s ended with status %ld, not %ld\n", o->command[0], shown, o->status);
        exit(1);
    }
    for (long i = 0; i < o->concurrency; i++)
        if (slots[i].pid == pid) return &slots[i];
    fprintf(stderr, "an unknown child ended: %ld\n", (long)pid);
    exit(1);
}

static void write_report(const char *path, const int64_t *samples, long count) {
    FILE *file = fopen(path, "we");
    if (file == NULL) fail(path);
    for (long i = 0; i < count; i++) fprintf(file, "%lld\n", (long long)samples[i]);
    if (fclose(file) != 0) fail(path);
}

int main(int argc, char **argv) {
    struct options o = parse(argc, argv);
    struct running slots[MAXIMUM_CONCURRENCY] = {0};
    int64_t *samples = calloc((size_t)o.count, sizeof *samples);
    if (samples == NULL) fail("calloc");

    long started = 0, ended = 0;
    int64_t begin = now_ns();
    while (started < o.concurrency && started < o.count) start(&slots[started++], o.command);
    while (ended < o.count) {
        struct running *slot = wait_for_one(slots, &o);
        samples[ended++] = now_ns() - slot->start - o.subtract;
        slot->pid = 0;
        if (started < o.count) {
            started++;
            start(slot, o.command);
        }
    }
    int64_t whole = now_ns() - begin;
    if (o.report != NULL) write_report(o.report, samples, o.count);
    print_times(samples, o.count, whole);
    return 0;
}
