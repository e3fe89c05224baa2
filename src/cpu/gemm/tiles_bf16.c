/* Matmuls of bf16 operands on AVX-512 with BF16. vdpbf16ps adds the product of the high halves of a
   pair, then that of the low halves. Each is rounded to nearest as by a fused multiply-add;
   subnormal inputs and results count as zeros (measured; Intel SDM, VDPBF16PS). With the earlier k
   in the high half the sum is that of gemm.h. Two products in each lane make it twice as fast as
   floats. */
#if defined(__x86_64__)
#include <immintrin.h>

#define MULTIPLY_ADD(x, column, sum) _mm512_dpbf16_ps(sum, (__m512bh)(x), (__m512bh)(column))
#include "cpu/gemm/tiles_avx512.h"

/* Lane j of the result has first[j] in its high half and second[j] in its low half, both in
   bf16. */
HEED_INLINE heed_v pair_vectors(heed_v first, heed_v second)
{
    const __m512i turns = _mm512_set_epi16(15, 31, 14, 30, 13, 29, 12, 28, 11, 27, 10, 26, 9, 25, 8,
                                           24, 7, 23, 6, 22, 5, 21, 4, 20, 3, 19, 2, 18, 1, 17, 0,
                                           16);
    return _mm512_castsi512_ps(
        _mm512_permutexvar_epi16(turns, (__m512i)_mm512_cvtne2ps_pbh(second, first)));
}

/* Pairs of up to `count` consecutive elements of a row from `column` on: two vectors of floats
   become one of pairs. */
HEED_INLINE heed_v load_pairs(heed_gemm_rows source, int64_t row, int64_t column, int64_t count)
{
    heed_v low = load_lanes(source, row, column, count, false);
    heed_v high = load_lanes(source, row, column + HEED_LANES, count - HEED_LANES, false);
    return _mm512_castsi512_ps(_mm512_rol_epi32((__m512i)_mm512_cvtne2ps_pbh(high, low), 16));
}

/* pack_n of kernels.h: rows k and k + 1 become one row of pairs. */
static void pair_n(float *out, int width, heed_gemm_rows source, int64_t rows, int valid)
{
    enum { ROWS_AHEAD = 16 };
    for (int64_t k = 0; k < rows; k += 2, out += width)
        for (int j = 0; j < width; j += HEED_LANES) {
            prefetch_element(source, k + ROWS_AHEAD, j);
            prefetch_element(source, k + ROWS_AHEAD + 1, j);
            heed_v second = k + 1 < rows ? load_lanes(source, k + 1, j, valid - j, false)
                                         : heed_v_zero();
            heed_v_store(out + j, pair_vectors(load_lanes(source, k, j, valid - j, false), second));
        }
}

/* pack_t of kernels.h: consecutive elements become pairs, then blocks of pairs are transposed. */
static void pair_t(float *out, int width, heed_gemm_rows source, int64_t rows, int valid)
{
    enum { DEPTH = 2 * HEED_LANES, COLUMNS_AHEAD = 4 * HEED_LANES };
    for (int j = 0; j < width; j += HEED_LANES)
        for (int64_t k = 0; k < rows; k += DEPTH) {
            const int64_t depth = rows - k < DEPTH ? rows - k : DEPTH;
            heed_v block[HEED_LANES];
            for (int i = 0; i < HEED_LANES; i++) {
                prefetch_element(source, j + i, k + COLUMNS_AHEAD);
                prefetch_element(source, j + i, k + COLUMNS_AHEAD + HEED_LANES);
                block[i] = load_pairs(source, j + i, k, j + i < valid ? depth : 0);
            }
            transpose_block(block);
            for (int64_t i = 0; i < (depth + 1) / 2; i++)
                heed_v_store(out + (k / 2 + i) * width + j, block[i]);
        }
}

/* pack_a of kernels.h: consecutive elements of a row become pairs. */
static void pair_a(float *out, int width, heed_gemm_rows source, int64_t rows, int valid)
{
    for (int64_t i = 0; i < rows; i++)
        for (int p = 0; p < width; p += HEED_LANES)
            heed_v_store(out + i * width + p, load_pairs(source, i, 2 * p, valid - 2 * p));
}

/* `tiles` of kernels.h: pack_n for all tiles of the strip. */
static void pair_tiles(float *out, const heed_gemm_tile_strip *strip, const float *source,
                       ptrdiff_t stride, int64_t rows)
{
    enum { ROWS_AHEAD = 16 };
    for (int64_t k = 0; k < rows; k += 2, out += strip->width, source += 2 * stride)
        for (int t = 0; t < strip->tiles; t++)
            for (int j = 0; j < strip->width; j += HEED_LANES) {
                const float *at = source + t * strip->stride + j;
                __builtin_prefetch(at + ROWS_AHEAD * stride);
                /* the processor does not prefetch short pieces of rows */
                __builtin_prefetch(at + (ROWS_AHEAD + 1) * stride);
                heed_v_store(out + t * strip->apart + j,
                             pair_vectors(heed_v_load(at),
                                          k + 1 < rows ? heed_v_load(at + stride) : heed_v_zero()));
            }
}

#define PAIR_TILE(index, vectors, rows) TILE(F32, vectors, rows)
#define PAIR_ENTRY(index, vectors, rows) .tile[index][rows] = tile_F32_##vectors##x##rows,
SHAPES(PAIR_TILE)

const heed_gemm_pair_kernels heed_gemm_pair_kernels_bf16 = {
    .blocking = {.mc = 96, .kc = 1024, .nc = 1024},
    .pairs = {pair_n, pair_t, pair_a, pair_tiles},
    SHAPES(PAIR_ENTRY)};

#endif
