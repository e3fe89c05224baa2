/* The matmul laboratory: GFLOP/s of heed_gemm over shapes, kinds and types of B, as a share of the
   multiply-add peak and of the read bandwidth measured in the same run.

     bench_gemm [-t threads] [-s seconds a line] [section ...]

   HEED_ISA chooses the instruction set. */
#include "base/clock.h"
#include "base/memory.h"
#include "base/pool.h"
#include "cpu/gemm/quantized.h"
#include "cpu/peak.h"
#include "tensor/dtype.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
enum { MAX_ROUNDS = 500 };

typedef struct {
    heed_pool *pool;
    heed_isa isa;
    double seconds; /* per line */
    /* GFLOP/s of floats, of bf16 pairs (as floats where they are multiplied as such), GB/s */
    double peak, peak_bf16, bandwidth;
    double peak_bytes; /* of byte products, GOP/s */
} laboratory;

/* Seconds: of the processor when there is one thread, so that other programs count less; of the
   clock otherwise. */
static double seconds_now(const laboratory *lab)
{
    if (heed_pool_threads(lab->pool) > 1) return heed_clock_seconds();
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* The peaks of this machine (cpu/peak.h), in GFLOP/s, GOP/s and GB/s. */
static void measure_peaks(laboratory *lab)
{
    const heed_backend backend = {.name = "cpu", .isa = lab->isa, .pool = lab->pool};
    heed_peak peak;
    heed_error error = {0};
    if (heed_cpu_peak(&backend, &peak, &error)) {
        fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
    lab->peak = peak.f32.all / 1e9;
    lab->peak_bf16 = peak.bf16.all / 1e9;
    lab->peak_bytes = peak.int8.all / 1e9;
    lab->bandwidth = peak.memory.all / 1e9;
}

/* ---- matmuls ---- */
typedef struct {
    const heed_gemm *gemm;
    heed_isa isa;
    int parts;
    atomic_int next;
    char *scratch;
    size_t scratch_bytes;
} matmul_job;

static void run_matmul(void *argument, int thread, int threads)
{
    (void)threads;
    matmul_job *job = argument;
    for (;;) {
        int part = atomic_fetch_add_explicit(&job->next, 1, memory_order_relaxed);
        if (part >= job->parts) return;
        heed_gemm_run(job->gemm, job->isa, part, job->parts,
                      job->scratch + job->scratch_bytes * (size_t)thread);
    }
}

/* One thread: every part by itself, and the sum of each part's least time, which other programs
   disturb least. */
static double run_parts(matmul_job *job, double *least)
{
    double sum = 0;
    for (int part = 0; part < job->parts; part++) {
        double start = heed_clock_seconds();
        heed_gemm_run(job->gemm, job->isa, part, job->parts, job->scratch);
        double seconds = heed_clock_seconds() - start;
        if (least[part] == 0 || seconds < least[part]) least[part] = seconds;
        sum += least[part];
    }
    return sum;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static const char *const kind_names[] = {"panels", "panels^T", "NT", "NN"};

enum { TRANSPOSED = 1, COLD = 2, BF16_OPERANDS = 4 };

typedef struct {
    int64_t m, n, k;
} extents;

/* A matmul with operands of its own. B lies `copies` times in memory; a round walks through the
   copies, so that many of them come from memory and not from a cache. */
typedef struct {
    heed_gemm gemm;
    matmul_job job;
    size_t bytes, copies; /* of B */
    float *a, *c;
    char *b;
    void *bytes_of_a; /* A rounded once, as plans do it, where B is quantized */
} bench_matmul;

static void *must(void *memory)
{
    if (!memory) exit(1);
    return memory;
}

/* Memory of the operands and what is in it. */
static void fill_operands(const laboratory *lab, bench_matmul *x)
{
    const int64_t m = x->gemm.m, n = x->gemm.n, k = x->gemm.k;
    x->a = must(heed_allocate_aligned((size_t)(m * k) * 4));
    x->c = must(heed_allocate_aligned((size_t)(m * n) * 4));
    x->b = must(heed_allocate_aligned(x->bytes * x->copies + 64));
    for (int64_t i = 0; i < m * k; i++) x->a[i] = (float)(i % 17) * 0.1f - 0.8f;
    for (size_t i = 0; i < x->bytes * x->copies / 2; i++)
        ((uint16_t *)x->b)[i] = 0x3A00 + (uint16_t)(i % 61);
    x->gemm.a = x->a;
    x->gemm.c = x->c;
    if (!heed_gemm_is_quantized(&x->gemm)) return;
    x->bytes_of_a = must(heed_allocate_aligned(heed_qgemm_quantized_bytes(m, k)));
    const heed_qgemm_operand operand = {lab->isa, x->gemm.b_dtype, m, k};
    heed_qgemm_quantize(&operand, x->a, k, 0, m, x->bytes_of_a);
    x->gemm.a_runs = x->bytes_of_a;
}

/* Makes the matmul whose sizes, strides and kinds x->gemm has. */
static void begin(const laboratory *lab, bench_matmul *x, bool cold)
{
    const heed_gemm *gemm = &x->gemm;
    int64_t rows = gemm->k, columns = gemm->n;
    if (gemm->b_kind == HEED_GEMM_B_PANELS) {
        rows = gemm->n;
        columns = gemm->k;
    }
    if (!heed_gemm_panel_bytes(lab->isa, gemm->b_dtype, rows, columns, &x->bytes)) exit(1);
    x->copies = cold ? ((size_t)200 << 20) / x->bytes + 1 : 1;
    fill_operands(lab, x);
    const size_t scratch = (heed_gemm_scratch(gemm, lab->isa) + 4095) / 4096 * 4096 + 128;
    x->job.gemm = gemm;
    x->job.isa = lab->isa;
    x->job.parts = heed_gemm_parts(gemm, lab->isa);
    x->job.scratch_bytes = scratch;
    x->job.scratch = must(heed_allocate_aligned(scratch * (size_t)heed_pool_threads(lab->pool)));
}

static void end(bench_matmul *x)
{
    heed_free_aligned(x->a);
    heed_free_aligned(x->b);
    heed_free_aligned(x->c);
    heed_free_aligned(x->job.scratch);
    heed_free_aligned(x->bytes_of_a);
}

static double flops_of(const heed_gemm *gemm)
{
    return 2.0 * (double)gemm->m * (double)gemm->n * (double)gemm->k;
}

/* Small matmuls are timed several at once. */
static int repeats_of(double flops)
{
    if (flops < 5e6) return 50;
    return flops < 5e7 ? 5 : 1;
}

/* Seconds of one matmul in each round, in ascending order; the number of rounds. */
static int time_rounds(const laboratory *lab, bench_matmul *x, double seconds[MAX_ROUNDS + 1])
{
    const int repeats = repeats_of(flops_of(&x->gemm));
    int rounds = 0;
    const double begin = heed_clock_seconds();
    for (int round = -1;
         round < 5 || (round < MAX_ROUNDS && heed_clock_seconds() - begin < lab->seconds);
         round++) {
        double start = seconds_now(lab);
        for (int i = 0; i < repeats; i++) {
            x->gemm.b = x->b + x->bytes * ((size_t)(i + (round + 1) * repeats) % x->copies);
            atomic_store(&x->job.next, 0);
            heed_pool_run(lab->pool, run_matmul, &x->job);
        }
        if (round >= 0) seconds[rounds++] = (seconds_now(lab) - start) / repeats;
    }
    qsort(seconds, (size_t)rounds, sizeof *seconds, by_value);
    return rounds;
}

static double peak_of(const laboratory *lab, const bench_matmul *x)
{
    if (x->bytes_of_a) return lab->peak_bytes;
    return x->gemm.bf16_operands ? lab->peak_bf16 : lab->peak;
}

static void print_line(const laboratory *lab, const bench_matmul *x, double best, double median)
{
    static const char *const operands[] = {"", " bf16 operands"}, *const orders[] = {"  ", "TN"};
    const heed_gemm *gemm = &x->gemm;
    const double flops = flops_of(gemm);
    printf("%5lld %6lld %5lld  %-8s %-4s%s %s  parts %2d  best %7.1f median %7.1f GFLOP/s  %5.1f "
           "%% of peak",
           (long long)gemm->m, (long long)gemm->n, (long long)gemm->k, kind_names[gemm->b_kind],
           heed_dtypes[gemm->b_dtype].name, operands[gemm->bf16_operands],
           orders[gemm->a_transposed], x->job.parts, flops / best / 1e9, flops / median / 1e9,
           100 * flops / best / 1e9 / peak_of(lab, x));
    if (x->copies > 1)
        printf("  %5.1f GB/s %5.1f %% of read", (double)x->bytes / best / 1e9,
               100 * (double)x->bytes / best / 1e9 / lab->bandwidth);
    printf("  %8.1f us\n", best * 1e6);
    fflush(stdout);
}

/* One line: best and median of many timings. COLD walks through several copies of B so that it
   comes from memory. */
static void measure(const laboratory *lab, extents of, heed_gemm_b_kind kind, heed_dtype dtype,
                    int how)
{
    bench_matmul x = {
        .gemm = {.m = of.m,
                 .n = of.n,
                 .k = of.k,
                 .a_stride = of.k,
                 .b_stride = of.n,
                 .c_stride = of.n,
                 .b_kind = kind,
                 .b_dtype = dtype,
                 .a_transposed = how & TRANSPOSED,
                 .bf16_operands = how & BF16_OPERANDS},
    };
    if (how & TRANSPOSED) x.gemm.a_stride = of.m;
    if (kind == HEED_GEMM_B_NT) x.gemm.b_stride = of.k;
    begin(lab, &x, how & COLD);
    double seconds[MAX_ROUNDS + 1], least[4096] = {0}, sum = 0;
    const int rounds = time_rounds(lab, &x, seconds);
    if (heed_pool_threads(lab->pool) == 1 && !(how & COLD)) {
        for (int round = 0; round < rounds; round++) sum = run_parts(&x.job, least);
        if (sum < seconds[0]) seconds[0] = sum;
    }
    print_line(lab, &x, seconds[0], seconds[rounds / 2]);
    end(&x);
}

static void squares(const laboratory *lab, int64_t first, int64_t last, int how)
{
    for (int64_t size = first; size <= last; size *= 2) {
        measure(lab, (extents){size, size, size}, HEED_GEMM_B_NN, HEED_F32, how);
        measure(lab, (extents){size, size, size}, HEED_GEMM_B_NT, HEED_F32, how);
        measure(lab, (extents){size, size, size}, HEED_GEMM_B_PANELS, HEED_F32, how);
    }
}

static void weights(const laboratory *lab, int how)
{
    static const int64_t shapes[][3] = {
        {384, 128, 768},   {128, 128, 768},    {512, 128, 768},    {128, 512, 768},
        {65, 128, 768},    {1152, 384, 2048},  {1536, 384, 2048},  {384, 1536, 2048},
        {2304, 768, 1024}, {768, 768, 1024},   {3072, 768, 1024},  {768, 3072, 1024},
        {50257, 768, 256}, {1024, 1024, 1024}, {4096, 1024, 1024},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        measure(lab, (extents){shapes[i][0], shapes[i][1], shapes[i][2]}, HEED_GEMM_B_NN, HEED_F32,
                how | TRANSPOSED);
}

static void section_square(const laboratory *lab)
{
    squares(lab, 512, lab->isa == HEED_ISA_GENERIC ? 512 : 1024, 0);
}
static void section_large(const laboratory *lab)
{
    squares(lab, 2048, 4096, 0);
}
static void section_weight(const laboratory *lab)
{
    weights(lab, 0);
}

/* Forward, gradient to the input and gradient to the weight of the Linear layers of small GPTs. */
static void training(const laboratory *lab, int how)
{
    static const int64_t shapes[][3] = {
        {768, 384, 128},   {768, 128, 128},   {768, 512, 128},   {768, 128, 512},
        {768, 65, 128},    {2048, 1152, 384}, {2048, 1536, 384}, {2048, 384, 1536},
        {1024, 2304, 768}, {1024, 768, 768},  {1024, 3072, 768}, {1024, 768, 3072},
        {256, 50257, 768},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const int64_t rows = shapes[i][0], out = shapes[i][1], in = shapes[i][2];
        measure(lab, (extents){rows, out, in}, HEED_GEMM_B_NT, HEED_F32, how);
        measure(lab, (extents){rows, in, out}, HEED_GEMM_B_NN, HEED_F32, how);
        measure(lab, (extents){out, in, rows}, HEED_GEMM_B_NN, HEED_F32, how | TRANSPOSED);
    }
}

static void section_train(const laboratory *lab)
{
    training(lab, 0);
}

/* Operands rounded to bf16. */
static void section_bf16(const laboratory *lab)
{
    squares(lab, 512, 4096, BF16_OPERANDS);
    training(lab, BF16_OPERANDS);
    weights(lab, BF16_OPERANDS);
}

static void section_few(const laboratory *lab)
{
    static const int64_t rows[] = {2, 3, 4, 6, 8, 12, 13, 16, 24, 32, 64},
                         sides[] = {768, 2048, 4096};
    for (size_t s = 0; s < 3; s++)
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
            measure(lab, (extents){rows[r], sides[s], sides[s]}, HEED_GEMM_B_PANELS, HEED_F32, 0);
}

static void section_one(const laboratory *lab)
{
    static const int64_t shapes[][2] = {
        {768, 768}, {3072, 768}, {768, 3072}, {4096, 4096}, {50257, 768}};
    static const heed_dtype dtypes[] = {HEED_F32, HEED_BF16, HEED_F16};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int d = 0; d < 3; d++)
            measure(lab, (extents){1, shapes[i][0], shapes[i][1]}, HEED_GEMM_B_PANELS, dtypes[d],
                    COLD);
}

static void section_halves(const laboratory *lab)
{
    static const heed_dtype dtypes[] = {HEED_F32, HEED_BF16, HEED_F16};
    static const int64_t rows[] = {4, 12, 24, 64, 512};
    for (int d = 0; d < 3; d++)
        for (int r = 0; r < 5; r++)
            measure(lab, (extents){rows[r], 2048, 2048}, HEED_GEMM_B_PANELS, dtypes[d], 0);
    measure(lab, (extents){512, 2048, 2048}, HEED_GEMM_B_PANELS_TRANSPOSED, HEED_F32, 0);
    measure(lab, (extents){512, 2048, 2048}, HEED_GEMM_B_PANELS_TRANSPOSED, HEED_BF16, 0);
}

static const heed_dtype block_dtypes[] = {HEED_Q4_0, HEED_Q4_1, HEED_Q5_0,
                                          HEED_Q8_0, HEED_Q4_K, HEED_Q6_K};

static void section_blocks(const laboratory *lab)
{
    static const int64_t shapes[][3] = {
        {512, 2048, 2048}, {64, 2048, 2048}, {8, 2048, 2048}, {2, 2048, 2048}};
    for (size_t d = 0; d < sizeof block_dtypes / sizeof *block_dtypes; d++)
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
            measure(lab, (extents){shapes[i][0], shapes[i][1], shapes[i][2]}, HEED_GEMM_B_PANELS,
                    block_dtypes[d], 0);
}

static void section_block_row(const laboratory *lab)
{
    static const int64_t shapes[][2] = {{768, 768}, {2048, 2048}, {8192, 2048}, {49152, 768}};
    for (size_t d = 0; d < sizeof block_dtypes / sizeof *block_dtypes; d++)
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
            measure(lab, (extents){1, shapes[i][0], shapes[i][1]}, HEED_GEMM_B_PANELS,
                    block_dtypes[d], COLD);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(const laboratory *);
    } sections[] = {
        {"square", section_square}, {"large", section_large},
        {"train", section_train},   {"few", section_few},
        {"one", section_one},       {"weight", section_weight},
        {"halves", section_halves}, {"bf16", section_bf16},
        {"blocks", section_blocks}, {"block-row", section_block_row},
    };
    laboratory lab = {.seconds = 0.3};
    int threads = 0, first = 1;
    for (; first + 1 < argc && argv[first][0] == '-'; first += 2) {
        if (!strcmp(argv[first], "-t")) threads = atoi(argv[first + 1]);
        if (!strcmp(argv[first], "-s")) lab.seconds = atof(argv[first + 1]);
    }
    heed_error error = {0};
    if (heed_isa_choose(&lab.isa, &error) ||
        heed_pool_new(&lab.pool, heed_thread_count(threads), &error)) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    measure_peaks(&lab);
    printf("%s, %d threads: multiply-add peak %.1f GFLOP/s, of bf16 %.1f, of bytes %.1f, read "
           "bandwidth %.1f GB/s\n   m      n     k\n",
           heed_isa_name(lab.isa), heed_pool_threads(lab.pool), lab.peak, lab.peak_bf16,
           lab.peak_bytes, lab.bandwidth);
    for (size_t s = 0; s < sizeof sections / sizeof *sections; s++) {
        bool wanted = first >= argc;
        for (int i = first; i < argc; i++) wanted |= !strcmp(argv[i], sections[s].name);
        if (wanted) {
            printf("%s\n", sections[s].name);
            sections[s].run(&lab);
        }
    }
    heed_pool_free(lab.pool);
    return 0;
}
