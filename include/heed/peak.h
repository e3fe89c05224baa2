/* heed/peak.h: what a machine can do, measured: the yardstick of every speed. */
#ifndef HEED_PEAK_H
#define HEED_PEAK_H

#include <heed/optional.h>
#include <stdbool.h>
#include <stddef.h>

/* A second, of one thread and of all threads of the context together. */
typedef struct heed_rate {
    bool measured; /* else it could not be, and both are 0 */
    double one, all;
    const char *how; /* static storage: the instruction that was timed, or what takes its place */
} heed_rate;

typedef struct heed_peak {
    int threads;
    const char *isa; /* the instruction set in use: "generic", "avx2", "avx512" */
    /* multiplications and additions in registers, each counted as one operation */
    heed_rate f32, bf16, int8;
    heed_rate l2, l3; /* bytes read from the caches */
    /* bytes read from memory as weights lie there: on huge pages, where the system grants them */
    heed_rate memory;
    heed_rate small_pages;                /* and on pages of the ordinary size */
    heed_optional_int l2_bytes, l3_bytes; /* as the system says; not set: it does not */
    bool huge_pages;                      /* the system granted them */
    heed_optional_real barrier_seconds;   /* all threads meeting once; not set with one thread */
} heed_peak;

#endif
