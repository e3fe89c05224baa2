/* Matmuls keep the order of sums that gemm.h promises, to the bit: in every layout and type of B,
   with every epilogue, for any number of rows, parts and threads. Special values and rounding have
   test_gemm_rounding.c. */
#include "base/memory.h"
#include "base/pool.h"
#include "cpu/gemm_case.h"
#include "support/sanitized.h"

static const heed_dtype dtypes[] = {HEED_F32, HEED_F16, HEED_BF16};
static const heed_gemm_b_kind kinds[] = {HEED_GEMM_B_PANELS, HEED_GEMM_B_PANELS_TRANSPOSED,
                                         HEED_GEMM_B_NT, HEED_GEMM_B_NN};

enum { SENTINEL = 0x7FA5A5A5 };

static void fill_sentinels(guarded *g)
{
    for (size_t i = 0; i < g->bytes / 4; i++) ((uint32_t *)g->data)[i] = SENTINEL;
}

/* Elements between the rows still hold the sentinel. */
static void check_gaps(const guarded *g, int64_t rows, int64_t columns, int64_t stride)
{
    for (int64_t i = 0; i < (int64_t)(g->bytes / 4); i++)
        if (i % stride >= columns || i / stride >= rows)
            assert_int_equal(((const uint32_t *)g->data)[i], SENTINEL);
}

typedef struct {
    int64_t m, n, k;
} extents;

/* One matmul without epilogue in every kind and type of B, against the order of sums to the bit. */
static void check_mode(heed_isa isa, heed_gemm gemm, int seed)
{
    const int64_t m = gemm.m, n = gemm.n, k = gemm.k;
    const bool a_transposed = gemm.a_transposed, accumulate = gemm.accumulate;
    gemm.prepacked = seed % 2;
    gemm.a_stride = (a_transposed ? m : k) + random_below(3);
    /* rows that would collide in the cache */
    if (seed % 4 == 0) gemm.a_stride = (gemm.a_stride + 1023) / 1024 * 1024;
    gemm.c_stride = n + 1 + random_below(4);
    guarded a = random_floats(a_transposed ? extent(k, m, gemm.a_stride)
                                           : extent(m, k, gemm.a_stride));
    guarded c = guarded_new((size_t)extent(m, n, gemm.c_stride) * 4), old = random_floats(m * n);
    gemm.a = a.data;
    gemm.c = c.data;
    for (size_t d = 0; d < sizeof dtypes / sizeof *dtypes; d++) {
        float *b = random_b(k, n, gemm.b_dtype = dtypes[d]);
        float *expected = exact_order_sums(&gemm, b, accumulate ? old.data : NULL);
        for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
            gemm.b_kind = kinds[kind];
            gemm.b_stride = (gemm.b_kind == HEED_GEMM_B_NT ? k : n) + random_below(3);
            guarded laid = lay_out_b(&gemm, b, isa);
            fill_sentinels(&c);
            if (accumulate)
                for (int64_t i = 0; i < m * n; i++)
                    gemm.c[i / n * gemm.c_stride + i % n] = ((float *)old.data)[i];
            run_all(&gemm, isa, heed_gemm_parts(&gemm, isa) + (seed % 3 == 2 ? 5 : 0), seed);
            for (int64_t i = 0; i < m * n; i++) {
                float got = gemm.c[i / n * gemm.c_stride + i % n];
                if (!same_bits(got, expected[i]))
                    fail_msg("%s m=%d n=%d k=%d kind=%d dtype=%d ta=%d acc=%d bf16=%d at %d,%d: "
                             "%.9g, expected %.9g",
                             heed_isa_name(isa), (int)m, (int)n, (int)k, kinds[kind], dtypes[d],
                             a_transposed, accumulate, gemm.bf16_operands, (int)(i / n),
                             (int)(i % n), got, expected[i]);
            }
            check_gaps(&c, m, n, gemm.c_stride);
            guarded_free(&laid);
        }
        free(b);
        free(expected);
    }
    guarded_free(&a);
    guarded_free(&c);
    guarded_free(&old);
}

/* Exact, and two times in three with operands rounded to bf16. */
static void check_shape(heed_isa isa, extents of, bool a_transposed, bool accumulate, int seed)
{
    heed_gemm gemm = {
        .m = of.m, .n = of.n, .k = of.k, .a_transposed = a_transposed, .accumulate = accumulate};
    check_mode(isa, gemm, seed);
    gemm.bf16_operands = true;
    if (seed % 3) check_mode(isa, gemm, seed / 3);
}

/* Rows of a tile. */
static int64_t tile_rows(heed_isa isa)
{
    if (isa == HEED_ISA_AVX512) return 12;
    return isa == HEED_ISA_AVX2 ? 6 : 4;
}

static void every_kernel_keeps_the_order_of_sums(void **state)
{
    (void)state;
    for (int isa = HEED_ISA_GENERIC; isa <= (int)heed_isa_detect(); isa++) {
        const int64_t p = heed_gemm_panel_width((heed_isa)isa), t = tile_rows((heed_isa)isa);
        const int64_t ms[] = {0, 1, 2, 3, t - 1, t, t + 1, 2 * t, 3 * t + 2};
        const int64_t ns[] = {0, 1,     p / 2 - 1,         p / 2, p - 1,
                              p, p + 1, 2 * p + p / 2 + 1, 4 * p, 6 * p - 1};
        const int64_t ks[] = {0, 1, 2, p - 1, p, p + 1, 511, 512, 513};
        int seed = 0;
        for (size_t m = 0; m < sizeof ms / sizeof *ms; m++)
            for (size_t n = 0; n < sizeof ns / sizeof *ns; n++)
                for (size_t k = HEED_SANITIZED ? (m + n) % 4 : 0; k < sizeof ks / sizeof *ks;
                     k += HEED_SANITIZED ? 4 : 1, seed++)
                    check_shape((heed_isa)isa, (extents){ms[m], ns[n], ks[k]},
                                seed % 5 == 1 || seed % 5 == 3, seed % 7 % 2, seed);
    }
}

/* Large enough for several blocks of every loop and several parts. */
static void large_matmuls_keep_the_order_of_sums(void **state)
{
    (void)state;
    for (int isa = HEED_ISA_GENERIC; isa <= (int)heed_isa_detect(); isa++) {
        check_shape((heed_isa)isa, (extents){131, 1111, 300}, false, true, 1);
        check_shape((heed_isa)isa, (extents){300, 130, 530}, true, false, 0);
        check_shape((heed_isa)isa, (extents){5, 700, 1030}, false, false, 2);
        check_shape((heed_isa)isa, (extents){450, 70, 520}, false, true, 4);
        check_shape((heed_isa)isa, (extents){450, 70, 520}, true, false, 5);
        /* pairs: blocks of depth twice as long, the last of them odd */
        check_shape((heed_isa)isa, (extents){37, 101, 2051}, false, true, 1);
        check_shape((heed_isa)isa, (extents){29, 70, 2049}, true, false, 4);
        check_shape((heed_isa)isa, (extents){1, 300, 2051}, false, true, 2);
    }
}

/* Panels of bf16 hold two steps to an element: every number of rows of a tile, every width of one,
   odd and even depths, steps that are one. */
static void pairs_follow_the_chain(void **state)
{
    (void)state;
    for (int isa = HEED_ISA_GENERIC; isa <= (int)heed_isa_detect(); isa++) {
        const int64_t p = heed_gemm_panel_width((heed_isa)isa);
        const int64_t ns[] = {p / 2, p, p + p / 2, 2 * p, 3 * p + 1, 4 * p, 4 * p + 5},
                      ks[] = {1, 2, 3, 64, 65, 1025};
        int seed = 0;
        for (int64_t m = 1; m <= 13; m++)
            for (size_t n = 0; n < sizeof ns / sizeof *ns; n++)
                for (size_t i = HEED_SANITIZED ? ((size_t)m + n) % 3 : 0;
                     i < sizeof ks / sizeof *ks; i += HEED_SANITIZED ? 3 : 1, seed++) {
                    const int64_t k = ks[i];
                    heed_gemm gemm = {
                        .m = m,
                        .n = ns[n],
                        .k = k,
                        .a_stride = k,
                        .c_stride = ns[n],
                        .b_dtype = HEED_BF16,
                        .b_kind = HEED_GEMM_B_PANELS,
                        .accumulate = seed % 2,
                        .prepacked = seed % 5 == 0,
                    };
                    guarded a = random_floats(m * k), old = random_floats(m * gemm.n),
                            c = guarded_new((size_t)(m * gemm.n) * 4);
                    float *b = random_b(k, gemm.n, HEED_BF16);
                    gemm.a = a.data;
                    gemm.c = c.data;
                    guarded laid = lay_out_b(&gemm, b, (heed_isa)isa);
                    for (int bf16 = 0; bf16 < 2; bf16++) {
                        gemm.bf16_operands = bf16;
                        float *expected = exact_order_sums(&gemm, b,
                                                           gemm.accumulate ? old.data : NULL);
                        memcpy(c.data, old.data, c.bytes);
                        run_all(&gemm, (heed_isa)isa, 1 + seed % 4, seed);
                        for (int64_t j = 0; j < m * gemm.n; j++)
                            assert_true(same_bits(gemm.c[j], expected[j]));
                        free(expected);
                    }
                    free(b);
                    guarded_free(&a);
                    guarded_free(&old);
                    guarded_free(&c);
                    guarded_free(&laid);
                }
    }
}

/* Bias, activation, gate and residual as the bits of `choice` say, also with gate and residual in C
   itself. */
static void check_epilogue(heed_isa isa, extents of, int choice, const float *b, const float *plain)
{
    const int64_t m = of.m, n = of.n, k = of.k;
    const int64_t stride = n + 2, mn = extent(m, n, stride);
    const bool gate_is_c = choice & 4 && choice & 32, residual_is_c = choice & 8 && choice & 64;
    guarded a = guarded_new((size_t)(m * k) * 4), bias = random_floats(n), gate = random_floats(mn),
            residual = random_floats(mn);
    guarded c = guarded_new((size_t)mn * 4), old = random_floats(mn);
    memcpy(a.data, b + k * n, a.bytes);
    heed_gemm gemm = {.m = m,
                      .n = n,
                      .k = k,
                      .a = a.data,
                      .a_stride = k,
                      .c = c.data,
                      .c_stride = stride,
                      .b_stride = choice & 16 ? k : n};
    gemm.b_kind = choice & 16 ? HEED_GEMM_B_NT : HEED_GEMM_B_NN;
    if (choice & 128) gemm.b_kind = HEED_GEMM_B_PANELS;
    guarded laid = lay_out_b(&gemm, b, isa);
    if (choice & 1) gemm.bias = bias.data;
    if (choice & 2) gemm.activation = HEED_UNARY_RELU;
    if (choice & 4) {
        gemm.gate_in_c = gate_is_c;
        gemm.gate = gate_is_c ? NULL : gate.data;
        gemm.gate_stride = stride;
    }
    if (choice & 8) {
        gemm.residual_in_c = residual_is_c;
        gemm.residual = residual_is_c ? NULL : residual.data;
        gemm.residual_stride = stride;
    }
    fill_sentinels(&c);
    for (int64_t i = 0; i < m; i++)
        memcpy(gemm.c + i * stride, (float *)old.data + i * stride, (size_t)n * 4);
    run_all(&gemm, isa, heed_gemm_parts(&gemm, isa), choice);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            const int64_t at = i * stride + j;
            float x = plain[i * n + j];
            if (gemm.bias) x = x + gemm.bias[j];
            if (gemm.activation) x = x > 0 ? x : 0;
            if (choice & 4) x = x * ((float *)(gate_is_c ? old : gate).data)[at];
            if (choice & 8) x = x + ((float *)(residual_is_c ? old : residual).data)[at];
            assert_true(same_bits(gemm.c[at], x));
        }
    check_gaps(&c, m, n, stride);
    guarded_free(&a);
    guarded_free(&bias);
    guarded_free(&gate);
    guarded_free(&residual);
    guarded_free(&c);
    guarded_free(&laid);
    guarded_free(&old);
}

static void epilogues_follow_the_order(void **state)
{
    (void)state;
    const int64_t sizes[][3] = {
        {1, 33, 40}, {3, 130, 300}, {40, 97, 300}, {13, 16, 0}, {40, 70, 615}};
    for (size_t size = 0; size < sizeof sizes / sizeof *sizes; size++) {
        const int64_t m = sizes[size][0], n = sizes[size][1], k = sizes[size][2];
        float *b = random_b(k, n + m, HEED_F32); /* B, and after it A */
        heed_gemm gemm = {.m = m, .n = n, .k = k, .a = b + k * n, .a_stride = k};
        float *plain = exact_order_sums(&gemm, b, NULL);
        for (int isa = HEED_ISA_GENERIC; isa <= (int)heed_isa_detect(); isa++)
            for (int choice = 0; choice < 256; choice++)
                check_epilogue((heed_isa)isa, (extents){m, n, k}, choice, b, plain);
        free(b);
        free(plain);
    }
}

/* A row's bits do not depend on how many rows stand beside it, nor on the number of parts. */
static void one_few_and_many_rows_have_the_same_bits(void **state)
{
    (void)state;
    const int64_t most = 70, n = 203, k = 517;
    guarded a = random_floats(most * k), bias = random_floats(n);
    guarded all = guarded_new((size_t)(most * n) * 4), some = guarded_new((size_t)(most * n) * 4);
    for (int isa = HEED_ISA_GENERIC; isa <= (int)heed_isa_detect(); isa++)
        for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++)
            for (size_t mode = 0; mode < 2 * sizeof dtypes / sizeof *dtypes; mode++) {
                const size_t d = mode / 2;
                float *b = random_b(k, n, dtypes[d]);
                heed_gemm gemm = dense_gemm(most, n, k, a.data, all.data);
                gemm.bf16_operands = mode % 2;
                gemm.prepacked = kind % 2;
                gemm.bias = bias.data;
                gemm.activation = HEED_UNARY_GELU;
                gemm.b_kind = kinds[kind];
                gemm.b_dtype = dtypes[d];
                gemm.b_stride = gemm.b_kind == HEED_GEMM_B_NT ? k : n;
                guarded laid = lay_out_b(&gemm, b, (heed_isa)isa);
                run_all(&gemm, (heed_isa)isa, heed_gemm_parts(&gemm, (heed_isa)isa), 0);
                const int64_t counts[] = {1, 2, 3, 4, 5, 7, 12, 13, 24, 31, 64};
                for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
                    const int64_t first = random_below(most - counts[i] + 1);
                    gemm.m = counts[i];
                    gemm.a = (float *)a.data + first * k;
                    gemm.c = some.data;
                    gemm.prepacked = (kind + i) % 2;
                    run_all(&gemm, (heed_isa)isa, 1 + (int)random_below(40), (int)i);
                    assert_memory_equal(some.data, (float *)all.data + first * n,
                                        (size_t)(counts[i] * n) * 4);
                }
                free(b);
                guarded_free(&laid);
            }
    guarded_free(&a);
    guarded_free(&all);
    guarded_free(&some);
    guarded_free(&bias);
}

typedef struct {
    const heed_gemm *gemm;
    heed_isa isa;
    int parts;
    atomic_int next;
    size_t scratch_bytes;
    char *scratch;
} shared_job;

static void run_shared(void *argument, int thread, int threads)
{
    (void)threads;
    shared_job *job = argument;
    for (int part; (part = atomic_fetch_add(&job->next, 1)) < job->parts;)
        heed_gemm_run(job->gemm, job->isa, part, job->parts,
                      job->scratch + job->scratch_bytes * (size_t)thread);
}

static void threads_do_not_change_bits(void **state)
{
    (void)state;
    const int64_t m = 200, n = 333, k = 700;
    guarded a = random_floats(m * k), one = guarded_new((size_t)(m * n) * 4),
            many = guarded_new((size_t)(m * n) * 4);
    for (int isa = HEED_ISA_GENERIC; isa <= (int)heed_isa_detect(); isa++)
        for (size_t mode = 0; mode < 2 * sizeof kinds / sizeof *kinds; mode++) {
            float *b = random_b(k, n, HEED_BF16);
            heed_gemm gemm = dense_gemm(m, n, k, a.data, one.data);
            gemm.b_kind = kinds[mode / 2];
            gemm.b_dtype = HEED_BF16;
            gemm.bf16_operands = mode % 2;
            gemm.b_stride = gemm.b_kind == HEED_GEMM_B_NT ? k : n;
            guarded laid = lay_out_b(&gemm, b, (heed_isa)isa);
            run_all(&gemm, (heed_isa)isa, 1, 0);
            gemm.c = many.data;
            shared_job job = {.gemm = &gemm,
                              .isa = (heed_isa)isa,
                              .parts = heed_gemm_parts(&gemm, (heed_isa)isa)};
            job.scratch_bytes = heed_gemm_scratch(&gemm, (heed_isa)isa);
            for (int threads = 1; threads <= 3; threads++) {
                heed_pool *pool = NULL;
                assert_int_equal(heed_pool_new(&pool, threads, NULL), HEED_OK);
                job.scratch = heed_allocate_aligned(job.scratch_bytes * (size_t)threads);
                assert_non_null(job.scratch);
                memset(many.data, 0xFF, many.bytes);
                atomic_store(&job.next, 0);
                heed_pool_run(pool, run_shared, &job);
                assert_memory_equal(one.data, many.data, one.bytes);
                heed_free_aligned(job.scratch);
                heed_pool_free(pool);
            }
            free(b);
            guarded_free(&laid);
        }
    guarded_free(&a);
    guarded_free(&one);
    guarded_free(&many);
}

static void scratch_for_the_largest_serves_smaller_ones(void **state)
{
    (void)state;
    for (int isa = HEED_ISA_GENERIC; isa <= (int)heed_isa_detect(); isa++)
        for (int round = 0; round < 4000; round++) {
            heed_gemm large = {
                .m = random_below(300),
                .n = random_below(1200),
                .k = random_below(3000),
                .a_transposed = round & 1,
                .a_stride = round & 2 ? 1024 : 1000,
                .bf16_operands = round & 4,
                .prepacked = round & 8,
                .b_kind = kinds[random_below(4)],
                .b_dtype = dtypes[random_below(3)],
                .b_stride = 1,
            };
            heed_gemm small = large;
            small.m = random_below(large.m + 1);
            small.n = random_below(large.n + 1);
            small.k = random_below(large.k + 1);
            assert_true(heed_gemm_scratch(&small, (heed_isa)isa) <=
                        heed_gemm_scratch(&large, (heed_isa)isa));
            assert_in_range(heed_gemm_parts(&small, (heed_isa)isa), 1, 64);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kernel_keeps_the_order_of_sums),
        cmocka_unit_test(large_matmuls_keep_the_order_of_sums),
        cmocka_unit_test(pairs_follow_the_chain),
        cmocka_unit_test(epilogues_follow_the_order),
        cmocka_unit_test(one_few_and_many_rows_have_the_same_bits),
        cmocka_unit_test(threads_do_not_change_bits),
        cmocka_unit_test(scratch_for_the_largest_serves_smaller_ones)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
