/* gemm_case.h: what the tests of the matmuls share: guarded memory, random operands, the order of
   sums written out. */
#ifndef HEED_TESTS_CPU_GEMM_CASE_H
#define HEED_TESTS_CPU_GEMM_CASE_H

#include "cpu/gemm/gemm.h"
#include "tensor/dtype.h"
#include <heed/graph.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Memory that ends (to 4 bytes) at a page that must not be touched. */
typedef struct {
    char *map;
    size_t mapped;
    void *data;
    size_t bytes;
} guarded;

static inline guarded guarded_new(size_t bytes)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (bytes + page - 1) / page * page;
    guarded g = {.mapped = room + 2 * page, .bytes = bytes};
    g.map = mmap(NULL, g.mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(g.map != MAP_FAILED);
    assert_int_equal(mprotect(g.map, page, PROT_NONE), 0);
    assert_int_equal(mprotect(g.map + page + room, page, PROT_NONE), 0);
    g.data = g.map + page + room - bytes;
    return g;
}

static inline void guarded_free(guarded *g)
{
    munmap(g->map, g->mapped);
}

static uint64_t random_state = 88172645463325252u;
static inline uint32_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32);
}
static inline float random_float(void)
{
    return (float)(int32_t)random_bits() * 0x1p-31f;
}
static inline int64_t random_below(int64_t n)
{
    return (int64_t)(random_bits() % (uint64_t)n);
}

static inline guarded random_floats(int64_t count)
{
    guarded g = guarded_new((size_t)count * 4);
    for (int64_t i = 0; i < count; i++) ((float *)g.data)[i] = random_float();
    return g;
}

/* Elements needed for `rows` rows of `columns` that lie `stride` apart. */
static inline int64_t extent(int64_t rows, int64_t columns, int64_t stride)
{
    return rows > 0 ? (rows - 1) * stride + columns : 0;
}

/* x rounded to `dtype`. */
static inline float representable(float x, heed_dtype dtype)
{
    if (dtype == HEED_F16) return heed_f16_to_f32(heed_f32_to_f16(x));
    if (dtype == HEED_BF16) return heed_bf16_to_f32(heed_f32_to_bf16(x));
    return x;
}

/* The values of B (K,N), dense, representable in `dtype`. */
static inline float *random_b(int64_t k, int64_t n, heed_dtype dtype)
{
    float *b = malloc((size_t)(k * n + 1) * sizeof *b);
    assert_non_null(b);
    for (int64_t i = 0; i < k * n; i++) b[i] = representable(random_float(), dtype);
    return b;
}

/* B laid out as `gemm->b_kind` wants it, in gemm->b_dtype with gemm->b_stride; sets gemm->b. */
static inline guarded lay_out_b(heed_gemm *gemm, const float *b, heed_isa isa)
{
    const heed_dtype dtype = gemm->b_dtype;
    const size_t bytes = heed_dtypes[dtype].bytes;
    const int64_t k = gemm->k, n = gemm->n;
    guarded g;
    if (gemm->b_kind == HEED_GEMM_B_NT || gemm->b_kind == HEED_GEMM_B_NN) {
        const bool nt = gemm->b_kind == HEED_GEMM_B_NT;
        g = guarded_new((size_t)(nt ? extent(n, k, gemm->b_stride) : extent(k, n, gemm->b_stride)) *
                        bytes);
        for (int64_t i = 0; i < k; i++)
            for (int64_t j = 0; j < n; j++)
                heed_convert((char *)g.data +
                                 (size_t)(nt ? j * gemm->b_stride + i : i * gemm->b_stride + j) *
                                     bytes,
                             dtype, b + i * n + j, HEED_F32, 1);
    } else {
        heed_gemm_panels panels = {.isa = isa, .dtype = dtype, .rows = k, .columns = n};
        heed_pack_source source = {b, HEED_F32, n, 1};
        if (gemm->b_kind == HEED_GEMM_B_PANELS) {
            panels.rows = n;
            panels.columns = k;
            source.row_stride = 1;
            source.column_stride = n;
        }
        size_t size = 0;
        assert_true(heed_gemm_panel_bytes(isa, dtype, panels.rows, panels.columns, &size));
        g = guarded_new(size);
        memset(g.data, 0xFF, size); /* NaN wherever packing leaves a hole */
        panels.data = g.data;
        heed_gemm_pack(&panels, 0, panels.rows, &source);
    }
    gemm->b = g.data;
    return g;
}

static inline float operand(const heed_gemm *gemm, float value)
{
    return gemm->bf16_operands ? heed_round_operand(value) : value;
}

/* The sums as the invariant says them: k ascending, one fused multiply-add each, from `start` (M,N)
   or from 0. Caller frees. */
static inline float *exact_order_sums(const heed_gemm *gemm, const float *b, const float *start)
{
    float *sum = calloc((size_t)(gemm->m * gemm->n + 1), sizeof *sum);
    assert_non_null(sum);
    float *values = malloc((size_t)(gemm->k * gemm->n + 1) * sizeof *values);
    assert_non_null(values);
    for (int64_t i = 0; i < gemm->k * gemm->n; i++) values[i] = operand(gemm, b[i]);
    if (start) memcpy(sum, start, (size_t)(gemm->m * gemm->n) * sizeof *sum);
    for (int64_t m = 0; m < gemm->m; m++)
        for (int64_t k = 0; k < gemm->k; k++) {
            const float a = operand(gemm, gemm->a_transposed ? gemm->a[k * gemm->a_stride + m]
                                                             : gemm->a[m * gemm->a_stride + k]);
            for (int64_t n = 0; n < gemm->n; n++)
                sum[m * gemm->n + n] = fmaf(a, values[k * gemm->n + n], sum[m * gemm->n + n]);
        }
    free(values);
    return sum;
}

static inline bool same_bits(float a, float b)
{
    uint32_t x, y;
    memcpy(&x, &a, 4);
    memcpy(&y, &b, 4);
    return x == y || (isnan(a) && isnan(b));
}

/* C (m,n) of A (m,k), both dense; B is for the caller to lay out. */
static inline heed_gemm dense_gemm(int64_t m, int64_t n, int64_t k, const void *a, void *c)
{
    return (heed_gemm){.m = m, .n = n, .k = k, .a = a, .a_stride = k, .c = c, .c_stride = n};
}

/* Runs all parts, in an order that depends on `seed`, with scratch of exactly the size asked
   for. */
static inline void run_all(const heed_gemm *gemm, heed_isa isa, int parts, int seed)
{
    heed_gemm ahead = *gemm;
    guarded packed_a = {0}, packed_b = {0};
    if (gemm->prepacked) {
        size_t a, b;
        heed_gemm_prepack_bytes(gemm, isa, &a, &b);
        packed_a = guarded_new(a);
        packed_b = guarded_new(b);
        memset(packed_a.data, 0xFF, a);
        memset(packed_b.data, 0xFF, b);
        ahead.packed_a = packed_a.data;
        ahead.packed_b = packed_b.data;
        gemm = &ahead;
        for (int i = 0; i < 1 + seed % 5; i++)
            heed_gemm_prepack(gemm, isa, seed & 1 ? seed % 5 - i : i, 1 + seed % 5);
    }
    guarded scratch = guarded_new(heed_gemm_scratch(gemm, isa));
    memset(scratch.data, 0xFF, scratch.bytes);
    for (int i = 0; i < parts; i++)
        heed_gemm_run(gemm, isa, seed & 1 ? parts - 1 - i : i, parts, scratch.data);
    guarded_free(&scratch);
    if (gemm->prepacked) {
        guarded_free(&packed_a);
        guarded_free(&packed_b);
    }
}

#endif
