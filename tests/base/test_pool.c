#include "base/pool.h"

#include "support/test.h"
#include <pthread.h>

enum { THREADS_LIMIT = 8, ROUNDS = 200 };

typedef struct {
    heed_pool *pool;
    atomic_int calls[THREADS_LIMIT];
    int rows[ROUNDS][THREADS_LIMIT];
    atomic_int wrong;
} job_state;

/* Each round every thread writes its cell, and after the barrier sees the cells of all others. */
static void rounds(void *argument, int thread, int threads)
{
    job_state *job = argument;
    atomic_fetch_add(&job->calls[thread], 1);
    for (int r = 0; r < ROUNDS; r++) {
        job->rows[r][thread] = r + thread + 1;
        heed_pool_barrier(job->pool);
        for (int t = 0; t < threads; t++)
            if (job->rows[r][t] != r + t + 1) atomic_fetch_add(&job->wrong, 1);
    }
}

static void barriers_separate_rounds(void **state)
{
    (void)state;
    static job_state job;
    for (int threads = 1; threads <= 4; threads++) {
        memset(&job, 0, sizeof job);
        assert_ok(heed_pool_new(&job.pool, threads, &error));
        assert_int_equal(heed_pool_threads(job.pool), threads);
        for (int run = 1; run <= 5; run++) {
            memset(job.rows, 0, sizeof job.rows);
            heed_pool_run(job.pool, rounds, &job);
            for (int t = 0; t < THREADS_LIMIT; t++)
                assert_int_equal(atomic_load(&job.calls[t]), t < threads ? run : 0);
        }
        assert_int_equal(atomic_load(&job.wrong), 0);
        heed_pool_free(job.pool);
    }
    heed_pool_free(NULL);
}

static void count_up(void *argument, int thread, int threads)
{
    (void)thread;
    (void)threads;
    atomic_fetch_add((atomic_long *)argument, 1);
}

typedef struct {
    heed_pool *pool;
    atomic_long *sum;
} caller;

static void *call_often(void *argument)
{
    caller *self = argument;
    for (int i = 0; i < 300; i++) heed_pool_run(self->pool, count_up, self->sum);
    return NULL;
}

static void callers_on_several_threads_take_turns(void **state)
{
    (void)state;
    heed_pool *pool = NULL;
    atomic_long sum = 0;
    pthread_t callers[3];
    assert_ok(heed_pool_new(&pool, 3, &error));
    caller self = {pool, &sum};
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&callers[i], NULL, call_often, &self), 0);
    for (int i = 0; i < 3; i++) pthread_join(callers[i], NULL);
    assert_int_equal(atomic_load(&sum), 3 * 300 * 3);
    heed_pool_free(pool);
}

/* Helpers that went to sleep wake up for the next job, and for the end. */
static void sleeping_helpers_wake(void **state)
{
    (void)state;
    heed_pool *pool = NULL;
    atomic_long sum = 0;
    assert_ok(heed_pool_new(&pool, 2, &error));
    for (int i = 0; i < 3; i++) {
        usleep(30000);
        heed_pool_run(pool, count_up, &sum);
    }
    usleep(30000);
    heed_pool_free(pool);
    assert_int_equal(atomic_load(&sum), 6);
    for (int i = 0; i < 50; i++) { /* freed at once, before or after a job */
        assert_ok(heed_pool_new(&pool, 3, &error));
        if (i % 2) heed_pool_run(pool, count_up, &sum);
        heed_pool_free(pool);
    }
    assert_ok(heed_pool_new(&pool, 0, &error));
    assert_int_equal(heed_pool_threads(pool), 1);
    heed_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(barriers_separate_rounds),
                                       cmocka_unit_test(callers_on_several_threads_take_turns),
                                       cmocka_unit_test(sleeping_helpers_wake)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
