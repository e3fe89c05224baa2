/* pool.c: a thread pool with a spinning barrier (pool.h). */
#include "base/pool.h"

#include "base/memory.h"
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

enum { SPINS_BEFORE_YIELD = 4000, YIELDS_BEFORE_SLEEP = 200 };

typedef struct {
    heed_pool *pool;
    int thread;
    pthread_t handle;
} helper;

struct heed_pool {
    int threads, started;
    helper *helpers;
    pthread_mutex_t turn;  /* held while a job runs */
    pthread_mutex_t mutex; /* guards generation and quit for helpers that sleep */
    pthread_cond_t wake;
    /* polls before a waiting thread yields: 0 if there are more threads than processors */
    int spins;
    bool quit;
    heed_pool_job *job;
    void *argument;
    _Alignas(64) atomic_uint generation; /* number of jobs started */
    _Alignas(64) atomic_int arrived;     /* threads that have reached the barrier */
    _Alignas(64) atomic_uint barrier_phase;
};

static inline void pause_briefly(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* Spins, then yields at most `yields` times (without limit if negative), until *word differs from
   `old`. Returns false if the limit was reached. */
static bool wait_for_change(const heed_pool *pool, atomic_uint *word, unsigned old, int yields)
{
    for (int i = 0; i < pool->spins; i++) {
        if (atomic_load_explicit(word, memory_order_acquire) != old) return true;
        pause_briefly();
    }
    for (int i = 0; yields < 0 || i < yields; i++) {
        if (atomic_load_explicit(word, memory_order_acquire) != old) return true;
        sched_yield();
    }
    return false;
}

void heed_pool_barrier(heed_pool *pool)
{
    if (pool->threads == 1) return;
    unsigned phase = atomic_load_explicit(&pool->barrier_phase, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&pool->arrived, 1, memory_order_acq_rel) == pool->threads - 1) {
        atomic_store_explicit(&pool->arrived, 0, memory_order_relaxed);
        atomic_fetch_add_explicit(&pool->barrier_phase, 1, memory_order_release);
    } else wait_for_change(pool, &pool->barrier_phase, phase, -1);
}

/* Main function of a helper: waits for the next generation, runs its job, and sleeps if none
   comes. */
static void *helper_main(void *argument)
{
    helper *self = argument;
    heed_pool *pool = self->pool;
    unsigned seen = 0;
    for (;;) {
        if (!wait_for_change(pool, &pool->generation, seen, YIELDS_BEFORE_SLEEP)) {
            pthread_mutex_lock(&pool->mutex);
            while (atomic_load(&pool->generation) == seen && !pool->quit)
                pthread_cond_wait(&pool->wake, &pool->mutex);
            pthread_mutex_unlock(&pool->mutex);
        }
        /* woken to quit without a new job */
        if (atomic_load(&pool->generation) == seen) return NULL;
        seen++;
        if (pool->quit) return NULL;
        pool->job(pool->argument, self->thread, pool->threads);
        heed_pool_barrier(pool);
    }
}

heed_status heed_pool_new(heed_pool **result, int threads, heed_error *error)
{
    *result = NULL;
    heed_pool *pool = heed_allocate_aligned(sizeof *pool);
    if (!pool) return heed_fail_memory(error, sizeof *pool, "the thread pool");
    pool->threads = threads < 1 ? 1 : threads;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    pool->spins = pool->threads <= processors ? SPINS_BEFORE_YIELD : 0;
    pthread_mutex_init(&pool->turn, NULL);
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pool->helpers = heed_allocate((size_t)pool->threads, sizeof *pool->helpers);
    if (!pool->helpers) {
        heed_pool_free(pool);
        return heed_fail_memory(error, (size_t)pool->threads * sizeof *pool->helpers,
                                "the thread pool");
    }
    for (int i = 1; i < pool->threads; i++, pool->started++) {
        pool->helpers[i] = (helper){.pool = pool, .thread = i};
        if (pthread_create(&pool->helpers[i].handle, NULL, helper_main, &pool->helpers[i]) != 0) {
            heed_pool_free(pool);
            return heed_fail(error, HEED_E_NOMEM,
                             "the system refused thread %d of %d; ask for fewer threads with -t",
                             i + 1, threads);
        }
    }
    *result = pool;
    return HEED_OK;
}

/* Starts a generation and wakes the helpers that sleep. */
static void announce(heed_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add_explicit(&pool->generation, 1, memory_order_release);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
}

void heed_pool_free(heed_pool *pool)
{
    if (!pool) return;
    pthread_mutex_lock(&pool->mutex);
    pool->quit = true;
    pthread_mutex_unlock(&pool->mutex);
    announce(pool);
    for (int i = 1; i <= pool->started; i++) pthread_join(pool->helpers[i].handle, NULL);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->mutex);
    pthread_mutex_destroy(&pool->turn);
    free(pool->helpers);
    heed_free_aligned(pool);
}

int heed_pool_threads(const heed_pool *pool)
{
    return pool->threads;
}

void heed_pool_run(heed_pool *pool, heed_pool_job *job, void *argument)
{
    /* Without helpers there is nothing to announce, and callers on other threads need not wait. */
    if (pool->threads == 1) {
        job(argument, 0, 1);
        return;
    }
    pthread_mutex_lock(&pool->turn);
    pool->job = job;
    pool->argument = argument;
    announce(pool);
    job(argument, 0, pool->threads);
    heed_pool_barrier(pool);
    pthread_mutex_unlock(&pool->turn);
}
