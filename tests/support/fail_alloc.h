/* fail_alloc.h: makes allocations fail on purpose. For programs named *_oom.c, which are linked
   with --wrap (see tests/CMakeLists.txt): malloc, calloc, realloc, aligned_alloc and mmap called
   from heed, what realpath and opendir allocate for it, and, after fail_alloc_cover_jansson, what
   jansson allocates. With FAIL_ALLOC_FROM=N in the environment fail_alloc_each begins at allocation
   N: for a debugger. */
#ifndef HEED_TESTS_FAIL_ALLOC_H
#define HEED_TESTS_FAIL_ALLOC_H

#include <heed/status.h>

/* The n-th allocation from now on fails, once (n counts from 1); 0: none. Resets the count. */
void fail_alloc_at(long n);
/* Allocations since the last fail_alloc_at, the failed one included. */
long fail_alloc_count(void);
/* Between these allocations neither fail nor count: for looking at what a scenario left. */
void fail_alloc_pause(void);
void fail_alloc_resume(void);
/* Blocks allocated and not freed, over the whole program. */
long fail_alloc_live(void);
/* Call first in main: routes jansson's allocations through the same counters. */
void fail_alloc_cover_jansson(void);

/* Something that either works or answers HEED_E_NOMEM and then owns nothing. */
typedef heed_status fail_alloc_scenario(void *context, heed_error *error);

/* Runs the scenario with its 1st, 2nd, 3rd ... allocation failing until one run meets no failure,
   which must be HEED_OK. Every other run must answer HEED_E_NOMEM with a message, and none may leak
   a block. Returns the number of allocations of a good run. */
long fail_alloc_each(fail_alloc_scenario *scenario, void *context);

#endif
