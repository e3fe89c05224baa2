/* fail_alloc.h: makes allocations fail on purpose, in programs named *_oom.c. tests/CMakeLists.txt
   links these with --wrap. Covered are malloc, calloc, realloc, aligned_alloc and mmap as heed
   calls them, the allocations of realpath and opendir, and, after fail_alloc_cover_jansson, those
   of jansson. If the environment variable FAIL_ALLOC_FROM is N, fail_alloc_each begins at
   allocation N, which helps in a debugger. */
#ifndef HEED_TESTS_FAIL_ALLOC_H
#define HEED_TESTS_FAIL_ALLOC_H

#include <heed/status.h>

/* Resets the count and lets the n-th allocation from now on fail, once. n counts from 1; 0: none
   fails. */
void fail_alloc_at(long n);
/* Returns the number of allocations since the last fail_alloc_at, with the one that failed. */
long fail_alloc_count(void);
/* Between these two calls, allocations neither fail nor count, so that a test can look at what a
   scenario left. */
void fail_alloc_pause(void);
void fail_alloc_resume(void);
/* Returns how many allocations of the whole program have not been freed. */
long fail_alloc_live(void);
/* Counts jansson's allocations too. Call it first in main. */
void fail_alloc_cover_jansson(void);

/* Work that either succeeds or returns HEED_E_NOMEM and then owns nothing. */
typedef heed_status fail_alloc_scenario(void *context, heed_error *error);

/* Runs the scenario again and again while its 1st, 2nd, 3rd ... allocation fails, until a run has
   fewer allocations. That run must return HEED_OK. Every other run must return HEED_E_NOMEM with a
   message, and no run may leak memory. Returns the number of allocations of the last run. */
long fail_alloc_each(fail_alloc_scenario *scenario, void *context);

#endif
