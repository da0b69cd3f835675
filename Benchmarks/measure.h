// Time measurement and output for all programs of this directory.
#ifndef SANDGLASS_BENCHMARKS_MEASURE_H
#define SANDGLASS_BENCHMARKS_MEASURE_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// Returns nanoseconds of CLOCK_MONOTONIC, the clock that the service uses for its limits.
static inline int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline void fail(const char *what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

// Parses a whole number between `minimum` and `maximum`. Any other text is a usage error.
static inline long whole_number(const char *text, long minimum, long maximum) {
    char *end = NULL;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < minimum || value > maximum) {
        fprintf(stderr, "'%s' is not a whole number from %ld to %ld\n", text, minimum, maximum);
        exit(2);
    }
    return value;
}

// Parses seconds with a fraction and returns nanoseconds.
static inline int64_t seconds_as_ns(const char *text) {
    char *end = NULL;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= 0 && value <= 3600)) {
        fprintf(stderr, "'%s' is not a number of seconds from 0 to 3600\n", text);
        exit(2);
    }
    return (int64_t)(value * 1e9 + 0.5);
}

static inline int compare_ns(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

// Returns the nearest-rank percentile, which is always a measured value.
static inline int64_t percentile(const int64_t *sorted, long count, long percent) {
    long rank = (count * percent + 99) / 100;
    return sorted[rank > 0 ? rank - 1 : 0];
}

// Sorts the samples and prints them as `key value` lines.
static inline void print_times(int64_t *samples, long count, int64_t whole_ns) {
    qsort(samples, (size_t)count, sizeof *samples, compare_ns);
    printf("count %ld\n", count);
    printf("p50_us %.1f\n", (double)percentile(samples, count, 50) / 1e3);
    printf("p99_us %.1f\n", (double)percentile(samples, count, 99) / 1e3);
    printf("max_us %.1f\n", (double)samples[count - 1] / 1e3);
    printf("per_second %.1f\n", (double)count * 1e9 / (double)whole_ns);
}

#endif
