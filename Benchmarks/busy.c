// Runs one busy loop for a bounded time. Ends with its parent process.
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
    // Reads the clock rarely: the intended load is plain computing, not the vDSO.
    while (now_ns() < end)
        for (volatile long i = 0; i < 1000000; i++) continue;
    return 0;
}
