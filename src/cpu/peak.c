/* peak.c: measures operations and bytes a second, on one thread and on all. */
#include "cpu/peak.h"

#include "base/clock.h"
#include "base/cpu.h"
#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

enum {
    ROUNDS = 10,
    MOST_THREADS = 256,
    LOOPS = 1 << 11,
    PIECE_FLOATS = 8 * 16 * 32,
    BARRIERS = 1000
};
/* length of one measurement: short enough to fall between two task switches of a busy machine */
static const double slice_seconds = 0.003;
static const size_t memory_bytes = (size_t)128 << 20;

typedef struct measurement measurement;
/* Works for a slice on one thread; returns operations or bytes. */
typedef double task(measurement *m, int thread, int threads);
typedef struct {
    double begin, end, done;
    float sink;
} lane;

struct measurement {
    const heed_peak_loops *loops;
    heed_pool *pool;
    const heed_peak_loop *loop; /* what `compute` runs */
    float *block;               /* what `read_cache` and `read_memory` read */
    /* floats of the block; for a cache, of the part that each thread reads */
    int64_t floats;
    int streams;
    task *work;
    lane lanes[MOST_THREADS];
};

/* ---- what one thread does ---- */

static double compute(measurement *m, int thread, int threads)
{
    (void)threads;
    double rounds = 0;
    do {
        m->lanes[thread].sink += m->loop->run(LOOPS);
        rounds += LOOPS;
    } while (heed_clock_seconds() - m->lanes[thread].begin < slice_seconds);
    return rounds * m->loop->operations;
}

/* Reads its own part of the block again and again, so that it comes from a cache. */
static double read_cache(measurement *m, int thread, int threads)
{
    (void)threads;
    double floats = 0;
    do {
        m->lanes[thread].sink += m->loops->read(m->block + thread * m->floats, m->floats,
                                                m->streams);
        floats += (double)m->floats;
    } while (heed_clock_seconds() - m->lanes[thread].begin < slice_seconds);
    return floats * sizeof(float);
}

/* Reads its share of the block, once. */
static double read_memory(measurement *m, int thread, int threads)
{
    int64_t pieces = m->floats / PIECE_FLOATS, begin = pieces * thread / threads,
            end = pieces * (thread + 1) / threads;
    m->lanes[thread].sink += m->loops->read(m->block + begin * PIECE_FLOATS,
                                            (end - begin) * PIECE_FLOATS, m->streams);
    return (double)((end - begin) * PIECE_FLOATS) * sizeof(float);
}

/* Waits at barriers, which thread 0 counts. */
static double meet(measurement *m, int thread, int threads)
{
    (void)thread;
    (void)threads;
    for (int i = 0; i < BARRIERS; i++) heed_pool_barrier(m->pool);
    return thread == 0 ? BARRIERS : 0;
}

/* ---- rates ---- */

static void run_lane(void *argument, int thread, int threads)
{
    measurement *m = argument;
    if (threads > 1) heed_pool_barrier(m->pool);
    m->lanes[thread].begin = heed_clock_seconds();
    m->lanes[thread].done = m->work(m, thread, threads);
    m->lanes[thread].end = heed_clock_seconds();
}

/* Keeps the larger of *best and what was done in a second between the first thread's begin and the
   last one's end. */
static void keep_best(measurement *m, int threads, double *best)
{
    if (threads > 1) heed_pool_run(m->pool, run_lane, m);
    else run_lane(m, 0, 1);
    double begin = m->lanes[0].begin, end = m->lanes[0].end, done = 0;
    for (int i = 0; i < threads; i++) {
        const lane *own = &m->lanes[i];
        if (own->begin < begin) begin = own->begin;
        if (own->end > end) end = own->end;
        done += own->done;
    }
    double rate = end > begin ? done / (end - begin) : 0;
    if (rate > *best) *best = rate;
}

static void measure(measurement *m, int threads, task *work, heed_rate *rate)
{
    m->work = work;
    keep_best(m, 1, &rate->one);
    if (threads > 1) keep_best(m, threads, &rate->all);
    if (rate->all < rate->one) rate->all = rate->one;
    rate->measured = rate->one > 0;
}

static void measure_compute(measurement *m, int threads, const heed_peak_loop *loop,
                            heed_rate *rate)
{
    m->loop = loop;
    rate->how = loop->how;
    measure(m, threads, compute, rate);
}

/* Measures reading one run of addresses, which suits caches and some memories, and eight side by
   side, which suit prefetchers that follow one run each. The better counts, since matmuls read in
   either way. */
static void measure_read(measurement *m, int threads, task *work, float *block, size_t bytes,
                         heed_rate *rate)
{
    m->block = block;
    m->floats = (int64_t)(bytes / sizeof(float) / PIECE_FLOATS * PIECE_FLOATS);
    if (!block || !m->floats) return;
    for (m->streams = 1; m->streams <= 8; m->streams += 7) measure(m, threads, work, rate);
}

/* ---- all of them ---- */

typedef struct blocks {
    float *huge, *small;
    size_t bytes, l2_part, l3_part;
} blocks;

/* Sizes of the parts that threads read from L2, and from L3 but not L2: half of L2; four times L2,
   or less if the threads share an L3 so small that this would overflow it; 0 if what is left would
   not miss L2. */
static void choose_parts(blocks *b, const heed_peak *peak)
{
    size_t l2 = (size_t)peak->l2_bytes.value, l3 = (size_t)peak->l3_bytes.value;
    size_t room = l3 / 2 / (size_t)peak->threads;
    b->l2_part = l2 / 2;
    b->l3_part = 4 * l2 < room ? 4 * l2 : room;
    if (b->l3_part < l2 + l2 / 2) b->l3_part = 0;
}

/* Allocates the blocks that are read, on huge and on small pages. Each is larger than the caches,
   but no more than an eighth of the free memory. */
static heed_status take_blocks(blocks *b, const heed_peak *peak, heed_error *error)
{
    size_t available = heed_memory_available(), room = available / 8;
    b->bytes = 4 * (size_t)peak->l3_bytes.value;
    if (b->bytes < memory_bytes) b->bytes = memory_bytes;
    choose_parts(b, peak);
    if (b->bytes < b->l3_part * (size_t)peak->threads)
        b->bytes = b->l3_part * (size_t)peak->threads;
    if (room && b->bytes > room) b->bytes = room;
    if (b->bytes < b->l3_part * (size_t)peak->threads) b->l3_part = 0;
    if (b->bytes < b->l2_part * (size_t)peak->threads) b->l2_part = 0;
    b->huge = heed_allocate_aligned(b->bytes);
    b->small = heed_allocate_small_pages(b->bytes);
    if (!b->huge || !b->small) return heed_fail_memory(error, b->bytes, "measuring the machine");
    memset(b->huge, 0, b->bytes);
    /* pages that were never written are all the same page of zeros */
    memset(b->small, 0, b->bytes);
    return HEED_OK;
}

/* Makes all measurements in turn, several times, and keeps the best of each. */
static void run_rounds(measurement *m, const heed_backend *backend, const blocks *b,
                       heed_peak *peak)
{
    const heed_peak_loop *int8 = &m->loops->int8, *bf16 = NULL;
#if defined(__x86_64__)
    if (backend->isa == HEED_ISA_AVX512 && heed_isa_has_vnni()) int8 = &heed_peak_int8;
    if (backend->isa == HEED_ISA_AVX512 && heed_isa_has_bf16()) bf16 = &heed_peak_bf16;
#endif
    double barriers = 0;
    for (int round = 0; round < ROUNDS; round++) {
        measure_compute(m, peak->threads, &m->loops->f32, &peak->f32);
        measure_compute(m, peak->threads, int8, &peak->int8);
        if (bf16) measure_compute(m, peak->threads, bf16, &peak->bf16);
        measure_read(m, peak->threads, read_cache, b->huge, b->l2_part, &peak->l2);
        measure_read(m, peak->threads, read_cache, b->huge, b->l3_part, &peak->l3);
        measure_read(m, peak->threads, read_memory, b->huge, b->bytes, &peak->memory);
        measure_read(m, peak->threads, read_memory, b->small, b->bytes, &peak->small_pages);
        m->work = meet;
        if (peak->threads > 1) keep_best(m, peak->threads, &barriers);
    }
    if (!bf16)
        peak->bf16 = (heed_rate){.measured = peak->f32.measured,
                                 .one = peak->f32.one,
                                 .all = peak->f32.all,
                                 .how = "absent: bf16 is widened and multiplied as f32"};
    if (barriers > 0) peak->barrier_seconds = heed_real(1 / barriers);
}

/* Bytes of the caches of one level, if the system says. */
static heed_optional_int cache_bytes(int level)
{
    size_t bytes = heed_cache_level_bytes(level);
    return (heed_optional_int){.set = bytes > 0, .value = (int64_t)bytes};
}

heed_status heed_cpu_peak(const heed_backend *backend, heed_peak *peak, heed_error *error)
{
    blocks b = {0};
    *peak = (heed_peak){.threads = backend->pool ? heed_pool_threads(backend->pool) : 1,
                        .isa = heed_isa_name(backend->isa),
                        .l2_bytes = cache_bytes(2),
                        .l3_bytes = cache_bytes(3)};
    if (peak->threads > MOST_THREADS) peak->threads = 1;
    measurement *m = heed_allocate(1, sizeof *m);
    heed_status status = m ? take_blocks(&b, peak, error)
                           : heed_fail_memory(error, sizeof *m, "measuring the machine");
    if (status == HEED_OK) {
        m->loops = HEED_FOR_ISA(backend->isa, heed_peak_loops);
        m->pool = backend->pool;
        peak->huge_pages = heed_huge_page_bytes(b.huge, b.bytes) > b.bytes / 2;
        peak->memory.how = peak->huge_pages ? "huge pages" : "huge pages were refused";
        peak->small_pages.how = "small pages";
        run_rounds(m, backend, &b, peak);
    }
    heed_free_aligned(b.huge);
    heed_free_aligned(b.small);
    free(m);
    return status;
}
