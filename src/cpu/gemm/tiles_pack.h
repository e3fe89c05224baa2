/* tiles_pack.h: packing of operands and the epilogue of products in terms of cpu/vector.h. tiles_generic.c, tiles_avx2.c and
   tiles_avx512.c include this behind tiles.h and add transpose_block(). */
#ifndef HEED_CPU_GEMM_TILES_PACK_H
#define HEED_CPU_GEMM_TILES_PACK_H

#include "cpu/gemm/tiles.h"
#include "cpu/vector_unary.h"

ALWAYS_INLINE void straight(float *out, int width, const void *source, heed_gemm_type type, ptrdiff_t stride, int64_t rows, int valid,
                            const bool rounded)
{
    enum { STEPS_AHEAD = 16 };
    for (int64_t k = 0; k < rows; k++)
        for (int j = 0; j < width; j += HEED_LANES) {
            __builtin_prefetch(address(source, place_in_rows(k + STEPS_AHEAD, stride, j, type), type));
            heed_v_store(out + k * width + j, load_lanes(source, k, stride, j, type, valid - j, rounded));
        }
}

static void transpose_block(heed_v block[HEED_LANES]); /* rows become columns, in place */

ALWAYS_INLINE void transposing(float *out, int width, const void *source, heed_gemm_type type, ptrdiff_t stride, int64_t rows, int valid,
                               const bool rounded)
{
    enum { STEPS_AHEAD = 4 * HEED_LANES };
    for (int j = 0; j < width; j += HEED_LANES)
        for (int64_t k = 0; k < rows; k += HEED_LANES) {
            const int64_t steps = rows - k < HEED_LANES ? rows - k : HEED_LANES;
            heed_v block[HEED_LANES];
            for (int i = 0; i < HEED_LANES; i++) {
                __builtin_prefetch(address(source, place_in_rows(j + i, stride, k + STEPS_AHEAD, type), type));
                block[i] = load_lanes(source, j + i, stride, k, type, j + i < valid ? steps : 0, rounded);
            }
            transpose_block(block);
            for (int64_t i = 0; i < steps; i++) heed_v_store(out + (k + i) * width + j, block[i]);
        }
}

#define PACKER(name, body, rounded) \
    static void name(float *out, int width, const void *source, heed_gemm_type type, ptrdiff_t stride, int64_t rows, int valid) \
    { \
        body(out, width, source, type, stride, rows, valid, rounded); \
    }
PACKER(pack_straight, straight, false)
PACKER(pack_transposing, transposing, false)
PACKER(round_straight, straight, true)
PACKER(round_transposing, transposing, true)

ALWAYS_INLINE void side_by_side(float *out, const heed_gemm_tile_strip *strip, const float *source, ptrdiff_t stride, int64_t rows, const bool rounded)
{
    for (int64_t k = 0; k < rows; k++, out += strip->width, source += stride)
        for (int t = 0; t < strip->tiles; t++)
            for (int j = 0; j < strip->width; j += HEED_LANES) {
                heed_v x = heed_v_load(source + t * strip->tall + j);
                heed_v_store(out + t * strip->apart + j, rounded ? heed_v_round_bf16(x) : x);
            }
}

static void pack_tiles(float *out, const heed_gemm_tile_strip *strip, const float *source, ptrdiff_t stride, int64_t rows)
{
    side_by_side(out, strip, source, stride, rows, false);
}

static void round_tiles(float *out, const heed_gemm_tile_strip *strip, const float *source, ptrdiff_t stride, int64_t rows)
{
    side_by_side(out, strip, source, stride, rows, true);
}

/* One vector of the epilogue; `count` of its lanes count. The order is law: bias, activation, gate, residual. */
ALWAYS_INLINE void finish_vector(const heed_gemm *gemm, int64_t m, int64_t n, heed_v x, int64_t count, bool whole)
{
#define OPERAND(p) (whole ? heed_v_load(p) : heed_v_load_part(p, count))
    if (gemm->bias) x = heed_v_add(x, OPERAND(gemm->bias + n));
    if (gemm->activation) x = heed_v_unary((heed_unary_kind)gemm->activation, x);
    if (gemm->gate) x = heed_v_mul(x, OPERAND(gemm->gate + m * gemm->gate_stride + n));
    if (gemm->residual) x = heed_v_add(x, OPERAND(gemm->residual + m * gemm->residual_stride + n));
#undef OPERAND
    float *to = gemm->c + m * gemm->c_stride + n;
    if (whole) heed_v_store(to, x);
    else heed_v_store_part(to, x, count);
}

static void finish(const heed_gemm *gemm, int64_t m, int64_t n, int rows, int columns, const float *chains, ptrdiff_t stride)
{
    for (int r = 0; r < rows; r++) {
        int j = 0;
        for (; j + HEED_LANES <= columns; j += HEED_LANES)
            finish_vector(gemm, m + r, n + j, heed_v_load(chains + r * stride + j), HEED_LANES, true);
        if (j == columns) continue;
        heed_v rest = heed_v_load_part(chains + r * stride + j, columns - j);
        finish_vector(gemm, m + r, n + j, rest, columns - j, false);
    }
}

/* Two steps rounded to bf16 in one element, the first in its high half. */
ALWAYS_INLINE heed_v join_steps(heed_v first, heed_v second)
{
    const heed_vi low = heed_vi_and(heed_vi_right_16(heed_v_bits(heed_v_round_bf16(second))), heed_vi_set(0xFFFF));
    return heed_v_from_bits(heed_vi_or(heed_v_bits(heed_v_round_bf16(first)), low));
}

static void join_straight(float *out, int width, const void *source, heed_gemm_type type, ptrdiff_t stride, int64_t rows, int valid)
{
    for (int64_t k = 0; k < rows; k += 2, out += width)
        for (int j = 0; j < width; j += HEED_LANES) {
            heed_v second = k + 1 < rows ? load_lanes(source, k + 1, stride, j, type, valid - j, false) : heed_v_zero();
            heed_v_store(out + j, join_steps(load_lanes(source, k, stride, j, type, valid - j, false), second));
        }
}

static void join_transposing(float *out, int width, const void *source, heed_gemm_type type, ptrdiff_t stride, int64_t rows, int valid)
{
    for (int j = 0; j < width; j += HEED_LANES)
        for (int64_t k = 0; k < rows; k += HEED_LANES) {
            const int64_t steps = rows - k < HEED_LANES ? rows - k : HEED_LANES;
            heed_v block[HEED_LANES];
            for (int i = 0; i < HEED_LANES; i++) block[i] = load_lanes(source, j + i, stride, k, type, j + i < valid ? steps : 0, false);
            transpose_block(block);
            for (int64_t i = 0; i < steps; i += 2) heed_v_store(out + (k + i) / 2 * width + j, join_steps(block[i], block[i + 1]));
        }
}

#define PACKERS \
    .floats = {pack_straight, pack_transposing, pack_straight, pack_tiles}, .rounded = {round_straight, round_transposing, round_straight, round_tiles}, \
    .joined = {.straight = join_straight, .transposing = join_transposing}

#endif
