// containment-probes SUBJECT|all [KEY=VALUE…]   makes attempts; a line for each: subject, name, `open` or why not
// containment-probes leave [stay] KEY=VALUE…    leaves things behind, for `left` to look for; `stay`: and goes on
// containment-probes tidy KEY=VALUE…            takes them away
#define _GNU_SOURCE
#include "probe.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_SECONDS = 10 };

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

static void say(const struct probe *probe, const char *result) {
    printf("%s\t%s\t%s\n", probe->subject, probe->name, result);
    fflush(stdout);
}

// Each attempt in a process of its own: a filter may end it, and so may its success.
static void try(const struct probe *probe) {
    int ends[2], error = 0, status = 0;
    if (pipe(ends) < 0) exit(2);
    pid_t child = fork();
    if (child < 0) exit(2);
    if (child == 0) {
        close(ends[0]);
        // Whatever the attempt leaves running must not keep this pipe or the output open.
        alarm(PATIENCE_SECONDS);
        // What one attempt mounts outside must not be in the way of the next. Where this fails there is nothing mounted.
        if (!strcmp(probe->subject, "mounts")) (void)!unshare(CLONE_NEWNS);
        int result = probe->attempt(probe->argument);
        if (write(ends[1], &result, sizeof result) != sizeof result) _exit(2);
        _exit(0);
    }
    close(ends[1]);
    bool told = read(ends[0], &error, sizeof error) == sizeof error;
    close(ends[0]);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    if (!told) say(probe, WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "no answer");
    else say(probe, error == 0 ? "open" : error == REFUSED ? "refused" : strerror(error));
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
    struct probes all[] = {
        file_probes(), identity_probes(), kernel_probes(), left_probes(), mount_probes(), namespace_probes(),
        process_probes(), socket_probes(),
    };
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
