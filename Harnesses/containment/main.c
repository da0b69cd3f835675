// containment-probes SUBJECT|all [KEY=VALUE…]   runs probes and prints one line each: subject, name, `open` or an error
// containment-probes leave [stay] KEY=VALUE…    leaves objects for `leftovers` to find; `stay`: keeps running
// containment-probes tidy KEY=VALUE…            removes the objects
#define _GNU_SOURCE
#include "probe.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TIMEOUT_SECONDS = 10 };

struct context context;

static void take_argument(char *text) {
    char *value = strchr(text, '=');
    if (!value) return;
    *value++ = '\0';
    if (!strcmp(text, "process")) context.process = atoi(value);
    else if (!strcmp(text, "mark")) context.mark = value;
    else if (!strcmp(text, "abstract")) context.abstract = value;
    else if (!strcmp(text, "path")) context.path = value;
    else if (!strcmp(text, "secret")) context.secret = value;
    else if (!strcmp(text, "port")) context.port = atoi(value);
    else if (!strcmp(text, "held-port")) context.held_port = atoi(value);
}

static void print_result(const struct probe *probe, const char *result) {
    printf("%s\t%s\t%s\n", probe->subject, probe->name, result);
    fflush(stdout);
}

// Runs each probe in a process of its own, because a filter or the probe's success may end the process.
static void try(const struct probe *probe) {
    int ends[2], error = 0, status = 0;
    if (pipe(ends) < 0) exit(2);
    pid_t child = fork();
    if (child < 0) exit(2);
    if (child == 0) {
        close(ends[0]);
        // A process that the probe leaves running must not keep this pipe or the output open.
        alarm(TIMEOUT_SECONDS);
        // A mount that one probe makes outside must not affect the next probe. Where unshare fails, mounts fail too.
        if (!strcmp(probe->subject, "mounts")) (void)!unshare(CLONE_NEWNS);
        int result = probe->attempt(probe->argument);
        if (write(ends[1], &result, sizeof result) != sizeof result) _exit(2);
        _exit(0);
    }
    close(ends[1]);
    bool has_result = read(ends[0], &error, sizeof error) == sizeof error;
    close(ends[0]);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    if (!has_result) print_result(probe, WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "no result");
    else print_result(probe, error == 0 ? "open" : error == REFUSED ? "refused" : strerror(error));
}

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    bool stay = false;
    for (int i = 2; i < argc; i++) {
        if (!strcmp(argv[i], "stay")) stay = true;
        else take_argument(argv[i]);
    }
    if (!strcmp(argv[1], "leave")) {
        int error = leave();
        if (error) return fprintf(stderr, "leave: %s\n", strerror(error)), 2;
        puts("left");
        fflush(stdout);
        while (stay) pause();
        return 0;
    }
    if (!strcmp(argv[1], "tidy")) return tidy();
    struct probes all[] = {file_probes(),  identity_probes(),  kernel_probes(),  leftover_probes(),
                           mount_probes(), namespace_probes(), process_probes(), socket_probes()};
    bool any = false;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        for (size_t j = 0; j < all[i].count; j++) {
            const struct probe *probe = &all[i].first[j];
            if (strcmp(argv[1], "all") && strcmp(argv[1], probe->subject)) continue;
            any = true;
            try(probe);
        }
    }
    return any ? 0 : 2;
}
