#include "cpu/peak.h"

#include "base/clock.h"
#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 4, MOST_THREADS = 256, FMA_BATCH = 1 << 14, GRAIN = 1 << 12 };
static const double fma_seconds = 0.03;
static const size_t block_bytes = (size_t)256 << 20;

typedef struct {
    const heed_peak_loops *loops;
    heed_pool *pool;
    float *block;
    int64_t floats;
    double operations[MOST_THREADS], seconds[MOST_THREADS]; /* of each thread, in one round */
    float sink[MOST_THREADS];
    double best_operations, best_bytes;
} measure;

static void wait_for_all(const measure *m, int threads)
{
    if (threads > 1) heed_pool_barrier(m->pool);
}

/* Multiply-adds for a while; every thread counts its own. */
static void compute(measure *m, int thread, int threads)
{
    double begin = heed_clock_seconds(), now = begin, rounds = 0, sum = 0;
    for (; now - begin < fma_seconds; now = heed_clock_seconds(), rounds += FMA_BATCH) m->sink[thread] += m->loops->fma(FMA_BATCH);
    m->operations[thread] = rounds * m->loops->operations / (now - begin);
    wait_for_all(m, threads);
    for (int i = 0; thread == 0 && i < threads; i++) sum += m->operations[i];
    if (thread == 0 && sum > m->best_operations) m->best_operations = sum;
    wait_for_all(m, threads);
}

/* Every thread reads its share of the block once. */
static void stream(measure *m, int thread, int threads)
{
    int64_t grains = m->floats / GRAIN, begin = grains * thread / threads * GRAIN, end = grains * (thread + 1) / threads * GRAIN;
    double start = heed_clock_seconds(), longest = 0;
    m->sink[thread] += m->loops->read(m->block + begin, end - begin);
    m->seconds[thread] = heed_clock_seconds() - start;
    wait_for_all(m, threads);
    for (int i = 0; thread == 0 && i < threads; i++) longest = m->seconds[i] > longest ? m->seconds[i] : longest;
    double rate = longest > 0 ? (double)(grains * GRAIN) * sizeof(float) / longest : 0;
    if (thread == 0 && rate > m->best_bytes) m->best_bytes = rate;
    wait_for_all(m, threads);
}

static void job(void *argument, int thread, int threads)
{
    measure *m = argument;
    for (int round = 0; round < ROUNDS; round++) compute(m, thread, threads);
    for (int round = 0; round < ROUNDS; round++) stream(m, thread, threads);
}

heed_status heed_cpu_peak(const heed_backend *backend, double *operations, double *bytes, heed_error *error)
{
    size_t available = heed_memory_available(), wanted = available && available / 4 < block_bytes ? available / 4 : block_bytes;
    measure *m = heed_allocate(1, sizeof *m);
    if (m) m->block = heed_allocate_aligned(wanted);
    if (!m || !m->block) {
        free(m);
        return heed_fail_memory(error, wanted, "measuring the machine");
    }
    memset(m->block, 0, wanted);
    m->loops = HEED_FOR_ISA(backend->isa, heed_peak_loops);
    m->pool = backend->pool;
    m->floats = (int64_t)(wanted / sizeof(float));
    if (m->pool && heed_pool_threads(m->pool) <= MOST_THREADS) heed_pool_run(m->pool, job, m);
    else job(m, 0, 1);
    *operations = m->best_operations;
    *bytes = m->best_bytes;
    heed_free_aligned(m->block);
    free(m);
    return HEED_OK;
}
