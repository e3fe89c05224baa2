/* Products of operands rounded to bf16 on AVX-512 with BF16. vdpbf16ps adds the product of the high halves, then that of the
   low ones, each rounded to nearest as a fused multiply-add is, subnormal inputs and results being zeros (measured; Intel SDM,
   VDPBF16PS). With the earlier step in the high half that is the chain of gemm.h. Two products to a lane: twice the speed of floats. */
#if defined(__x86_64__)
#include <immintrin.h>

#define MULTIPLY_ADD(x, column, sum) _mm512_dpbf16_ps(sum, (__m512bh)(x), (__m512bh)(column))
#include "cpu/gemm/tiles_avx512.h"

/* Lane j: first[j] in the high half, second[j] in the low one. */
ALWAYS_INLINE heed_v pair_vectors(heed_v first, heed_v second)
{
    const __m512i turns = _mm512_set_epi16(15, 31, 14, 30, 13, 29, 12, 28, 11, 27, 10, 26, 9, 25, 8, 24, 7, 23, 6, 22, 5, 21, 4, 20, 3, 19, 2, 18, 1,
                                           17, 0, 16);
    return _mm512_castsi512_ps(_mm512_permutexvar_epi16(turns, (__m512i)_mm512_cvtne2ps_pbh(second, first)));
}

/* Pairs of `count` elements of a row from `column` on: two vectors of steps become one. */
ALWAYS_INLINE heed_v pair_along(const void *source, int64_t row, ptrdiff_t stride, int64_t column, heed_gemm_type type, int64_t count)
{
    heed_v low = load_lanes(source, row, stride, column, type, count, false);
    heed_v high = load_lanes(source, row, stride, column + HEED_LANES, type, count - HEED_LANES, false);
    return _mm512_castsi512_ps(_mm512_rol_epi32((__m512i)_mm512_cvtne2ps_pbh(high, low), 16));
}

static void pair_straight(float *out, int width, const void *source, heed_gemm_type type, ptrdiff_t stride, int64_t rows, int valid)
{
    enum { STEPS_AHEAD = 16 };
    for (int64_t k = 0; k < rows; k += 2, out += width)
        for (int j = 0; j < width; j += HEED_LANES) {
            __builtin_prefetch(address(source, place_in_rows(k + STEPS_AHEAD, stride, j, type), type));
            __builtin_prefetch(address(source, place_in_rows(k + STEPS_AHEAD + 1, stride, j, type), type));
            heed_v second = k + 1 < rows ? load_lanes(source, k + 1, stride, j, type, valid - j, false) : heed_v_zero();
            heed_v_store(out + j, pair_vectors(load_lanes(source, k, stride, j, type, valid - j, false), second));
        }
}

static void pair_transposing(float *out, int width, const void *source, heed_gemm_type type, ptrdiff_t stride, int64_t rows, int valid)
{
    enum { STEPS = 2 * HEED_LANES, STEPS_AHEAD = 4 * HEED_LANES };
    for (int j = 0; j < width; j += HEED_LANES)
        for (int64_t k = 0; k < rows; k += STEPS) {
            const int64_t steps = rows - k < STEPS ? rows - k : STEPS;
            heed_v block[HEED_LANES];
            for (int i = 0; i < HEED_LANES; i++) {
                const ptrdiff_t ahead = place_in_rows(j + i, stride, k + STEPS_AHEAD, type);
                __builtin_prefetch(address(source, ahead, type));
                __builtin_prefetch(address(source, ahead + HEED_LANES, type));
                block[i] = pair_along(source, j + i, stride, k, type, j + i < valid ? steps : 0);
            }
            transpose_block(block);
            for (int64_t i = 0; i < (steps + 1) / 2; i++) heed_v_store(out + (k / 2 + i) * width + j, block[i]);
        }
}

static void pair_lengthwise(float *out, int width, const void *source, heed_gemm_type type, ptrdiff_t stride, int64_t rows, int valid)
{
    for (int64_t i = 0; i < rows; i++)
        for (int p = 0; p < width; p += HEED_LANES) heed_v_store(out + i * width + p, pair_along(source, i, stride, 2 * p, type, valid - 2 * p));
}

static void pair_tiles(float *out, const heed_gemm_tile_strip *strip, const float *source, ptrdiff_t stride, int64_t rows)
{
    enum { STEPS_AHEAD = 16 };
    for (int64_t k = 0; k < rows; k += 2, out += strip->width, source += 2 * stride)
        for (int t = 0; t < strip->tiles; t++)
            for (int j = 0; j < strip->width; j += HEED_LANES) {
                const float *at = source + t * strip->tall + j;
                __builtin_prefetch(at + STEPS_AHEAD * stride);
                __builtin_prefetch(at + (STEPS_AHEAD + 1) * stride); /* the processor does not foresee short pieces of rows */
                heed_v_store(out + t * strip->apart + j, pair_vectors(heed_v_load(at), k + 1 < rows ? heed_v_load(at + stride) : heed_v_zero()));
            }
}

#define PAIR_TILE(index, vectors, rows) TILE(F32, vectors, rows)
#define PAIR_ENTRY(index, vectors, rows) .tile[index][rows] = tile_F32_##vectors##x##rows,
SHAPES(PAIR_TILE)

const heed_gemm_pair_kernels heed_gemm_pair_kernels_bf16 = {
    .pairs = {pair_straight, pair_transposing, pair_lengthwise, pair_tiles}, SHAPES(PAIR_ENTRY)};

#endif
