/* heed/peak.h: the peaks of a machine, as heed_context_peak in context.h measures them. Speeds are
   given as shares of these. */
#ifndef HEED_PEAK_H
#define HEED_PEAK_H

#include <heed/optional.h>
#include <stdbool.h>
#include <stddef.h>

/* What one thread, and all threads of the context together, do in a second. */
typedef struct heed_rate {
    bool measured; /* false if it could not be measured; both rates are then 0 */
    double one, all;
    /* what was timed, in static storage: an instruction, or a kind of pages; NULL for caches */
    const char *how;
} heed_rate;

typedef struct heed_peak {
    int threads;     /* threads of the context */
    const char *isa; /* the instruction set in use: "generic", "avx2", "avx512" */
    /* operations on numbers in registers; a multiplication and an addition are one each */
    heed_rate f32, bf16, int8;
    heed_rate l2, l3; /* bytes read from the caches */
    /* bytes read from memory that is allocated as weights are: on huge pages if the system grants
       them */
    heed_rate memory;
    heed_rate small_pages;                /* bytes read from memory on pages of ordinary size */
    heed_optional_int l2_bytes, l3_bytes; /* sizes of the caches; not set if the system is silent */
    bool huge_pages;                      /* whether the system granted huge pages */
    heed_optional_real barrier_seconds;   /* one barrier of all threads; not set with one thread */
} heed_peak;

#endif
