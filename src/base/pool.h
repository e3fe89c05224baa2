/* pool.h: one thread pool per context. A job runs on every thread of the pool at once and uses the
   barrier inside. */
#ifndef HEED_BASE_POOL_H
#define HEED_BASE_POOL_H

#include "base/error.h"
#include <stdatomic.h>
#include <stdbool.h>

typedef struct heed_pool heed_pool;

/* Starts threads - 1 helpers (the caller is the remaining one). HEED_E_NOMEM when the system
   refuses a thread. */
heed_status heed_pool_new(heed_pool **pool, int threads, heed_error *error);
void heed_pool_free(heed_pool *pool); /* NULL is fine; waits for the helpers */
int heed_pool_threads(const heed_pool *pool);

/* Calls job(argument, thread, threads) on every thread and returns when all have returned. Callers
   on several threads take turns. */
typedef void heed_pool_job(void *argument, int thread, int threads);
void heed_pool_run(heed_pool *pool, heed_pool_job *job, void *argument);

/* Inside a job: returns when every thread of the pool has arrived. Spins briefly, then yields the
   processor, so that more threads than cores stay correct and tolerably fast. */
void heed_pool_barrier(heed_pool *pool);

#endif
