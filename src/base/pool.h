/* pool.h: a thread pool. A job runs on all threads of the pool at once, which synchronize through
   heed_pool_barrier. */
#ifndef HEED_BASE_POOL_H
#define HEED_BASE_POOL_H

#include "base/error.h"
#include <stdatomic.h>
#include <stdbool.h>

typedef struct heed_pool heed_pool;

/* Starts threads - 1 helper threads; the caller of heed_pool_run is the remaining one. HEED_E_NOMEM
   if out of memory or the system refuses a thread. */
heed_status heed_pool_new(heed_pool **pool, int threads, heed_error *error);
void heed_pool_free(heed_pool *pool); /* waits for the helpers; NULL is allowed */
int heed_pool_threads(const heed_pool *pool);

/* Calls job(argument, thread, threads) on every thread and returns when all calls have returned.
   Concurrent callers take turns. */
typedef void heed_pool_job(void *argument, int thread, int threads);
void heed_pool_run(heed_pool *pool, heed_pool_job *job, void *argument);

/* Called by every thread of a job; returns when all have called it. A waiting thread spins briefly
   and then yields the processor, so that more threads than processors make progress. */
void heed_pool_barrier(heed_pool *pool);

#endif
