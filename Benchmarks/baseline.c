// The baseline: isolated runs and nothing else. Each run calls clone3 with all seven namespaces, execs /bin/true and
// waits. There is no cgroup, no filter, no limit, no output, no HTTP and no stored record.
//
//     baseline WORKERS RUNS
#define _GNU_SOURCE
#include "measure.h"

#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WARM_UP_RUNS = 10, MAXIMUM_WORKERS = 64, MAXIMUM_RUNS = 1000000 };

static const uint64_t NAMESPACES =
    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_NEWNET;

static void run_once(void) {
    struct clone_args args = {.flags = NAMESPACES, .exit_signal = SIGCHLD};
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0) {
        char *const argv[] = {"/bin/true", NULL}, *const envp[] = {NULL};
        execve(argv[0], argv, envp);
        _exit(127);
    }
    if (pid < 0) fail("clone3 with new namespaces (check that this user may create user namespaces)");
    int status = 0;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) fail("waitpid");
    if (status != 0) {
        fprintf(stderr, "/bin/true ended with wait status 0x%x\n", (unsigned)status);
        exit(1);
    }
}

// Reports that it is warm, waits until all workers are, and then takes its share of the samples.
static void work(int64_t *samples, long count, int ready, int go) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 0; i < WARM_UP_RUNS; i++) run_once();
    char byte = 0;
    if (write(ready, &byte, 1) != 1) fail("write");
    if (read(go, &byte, 1) < 0) fail("read");
    for (long i = 0; i < count; i++) {
        int64_t start = now_ns();
        run_once();
        samples[i] = now_ns() - start;
    }
    _exit(0);
}

static void start_workers(long workers, long runs, int64_t *samples, int ready, int go[2]) {
    for (long w = 0, first = 0; w < workers; w++) {
        long share = runs / workers + (w < runs % workers);
        pid_t pid = fork();
        if (pid < 0) fail("fork");
        if (pid == 0) {
            close(go[1]); // otherwise this worker would keep the pipe open that it waits on
            work(samples + first, share, ready, go[0]);
        }
        first += share;
    }
}

static void wait_until_ready(long workers, int ready) {
    char byte;
    for (long w = 0; w < workers; w++)
        if (read(ready, &byte, 1) != 1) exit(1); // a worker printed the reason
}

static void wait_for_workers(long workers) {
    for (long w = 0; w < workers; w++) {
        int status = 0;
        if (wait(&status) < 0) fail("wait");
        if (status != 0) exit(1); // the worker printed the reason
    }
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: baseline WORKERS RUNS\n");
        return 2;
    }
    long workers = whole_number(argv[1], 1, MAXIMUM_WORKERS);
    long runs = whole_number(argv[2], workers, MAXIMUM_RUNS);

    size_t bytes = (size_t)runs * sizeof(int64_t);
    int64_t *samples = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int ready[2], go[2];
    if (samples == MAP_FAILED || pipe(ready) != 0 || pipe(go) != 0) fail("set-up");

    start_workers(workers, runs, samples, ready[1], go);
    close(ready[1]);
    close(go[0]);
    wait_until_ready(workers, ready[0]);
    int64_t start = now_ns();
    close(go[1]);
    wait_for_workers(workers);
    print_times(samples, runs, now_ns() - start);
    return 0;
}
