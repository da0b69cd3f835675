// One busy loop, for a bounded time, that ends with the process that started it.
//
//     busy SECONDS
#include "measure.h"

#include <signal.h>
#include <sys/prctl.h>

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: busy SECONDS\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int64_t end = now_ns() + seconds_as_ns(argv[1]);
    // The clock is looked at seldom: a loop that lives in the vDSO is still a busy one, but
    // the load that is meant here is plain computing.
    while (now_ns() < end)
        for (volatile long i = 0; i < 1000000; i++) continue;
    return 0;
}
