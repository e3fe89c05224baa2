/* tiles_pack.h: packing of operands and the epilogue of matmuls in terms of cpu/vector.h.
   tiles_generic.c, tiles_avx2.c and tiles_avx512.c include this after tiles.h and add
   transpose_block(). */
#ifndef HEED_CPU_GEMM_TILES_PACK_H
#define HEED_CPU_GEMM_TILES_PACK_H

#include "cpu/gemm/tiles.h"
#include "cpu/vector_unary.h"

/* pack_n of kernels.h: rows of the source are k, so they are copied. */
HEED_INLINE void pack_n(float *out, int width, heed_gemm_rows source, int64_t rows, int valid,
                        const bool bf16)
{
    enum { ROWS_AHEAD = 16 };
    for (int64_t k = 0; k < rows; k++)
        for (int j = 0; j < width; j += HEED_LANES) {
            prefetch_element(source, k + ROWS_AHEAD, j);
            heed_v_store(out + k * width + j, load_lanes(source, k, j, valid - j, bf16));
        }
}

static void transpose_block(heed_v block[HEED_LANES]); /* transposes a block in place */

/* pack_t of kernels.h: columns of the source are k, so blocks of vectors are transposed. */
HEED_INLINE void pack_t(float *out, int width, heed_gemm_rows source, int64_t rows, int valid,
                        const bool bf16)
{
    enum { COLUMNS_AHEAD = 4 * HEED_LANES };
    for (int j = 0; j < width; j += HEED_LANES)
        for (int64_t k = 0; k < rows; k += HEED_LANES) {
            const int64_t count = rows - k < HEED_LANES ? rows - k : HEED_LANES;
            heed_v block[HEED_LANES];
            for (int i = 0; i < HEED_LANES; i++) {
                prefetch_element(source, j + i, k + COLUMNS_AHEAD);
                block[i] = load_lanes(source, j + i, k, j + i < valid ? count : 0, bf16);
            }
            transpose_block(block);
            for (int64_t i = 0; i < count; i++) heed_v_store(out + (k + i) * width + j, block[i]);
        }
}

#define PACKER(name, body, bf16)                                                            \
    static void name(float *out, int width, heed_gemm_rows source, int64_t rows, int valid) \
    {                                                                                       \
        body(out, width, source, rows, valid, bf16);                                        \
    }
PACKER(pack_n_floats, pack_n, false)
PACKER(pack_t_floats, pack_t, false)
PACKER(pack_n_bf16, pack_n, true)
PACKER(pack_t_bf16, pack_t, true)

/* `tiles` of kernels.h: one row after the other, for all tiles of the strip. */
HEED_INLINE void side_by_side(float *out, const heed_gemm_tile_strip *strip, const float *source,
                              ptrdiff_t stride, int64_t rows, const bool bf16)
{
    for (int64_t k = 0; k < rows; k++, out += strip->width, source += stride)
        for (int t = 0; t < strip->tiles; t++)
            for (int j = 0; j < strip->width; j += HEED_LANES) {
                heed_v x = heed_v_load(source + t * strip->stride + j);
                heed_v_store(out + t * strip->apart + j, bf16 ? heed_v_round_bf16(x) : x);
            }
}

static void pack_tiles_floats(float *out, const heed_gemm_tile_strip *strip, const float *source,
                              ptrdiff_t stride, int64_t rows)
{
    side_by_side(out, strip, source, stride, rows, false);
}

static void pack_tiles_bf16(float *out, const heed_gemm_tile_strip *strip, const float *source,
                            ptrdiff_t stride, int64_t rows)
{
    side_by_side(out, strip, source, stride, rows, true);
}

/* The epilogue of one vector, of which the first `count` lanes matter; `all` says that these are
   all lanes. The order is fixed: bias, activation, gate, residual. */
HEED_INLINE void finish_vector(const heed_gemm *gemm, int64_t m, int64_t n, heed_v x, int64_t count,
                               bool all)
{
    float *to = gemm->c + m * gemm->c_stride + n;
#define OPERAND(p) (all ? heed_v_load(p) : heed_v_load_part(p, count))
    if (gemm->bias) x = heed_v_add(x, OPERAND(gemm->bias + n));
    if (gemm->activation) x = heed_v_unary((heed_unary_kind)gemm->activation, x);
    if (gemm->gate_in_c) x = heed_v_mul(x, OPERAND(to));
    else if (gemm->gate) x = heed_v_mul(x, OPERAND(gemm->gate + m * gemm->gate_stride + n));
    if (gemm->residual_in_c) x = heed_v_add(x, OPERAND(to));
    else if (gemm->residual)
        x = heed_v_add(x, OPERAND(gemm->residual + m * gemm->residual_stride + n));
#undef OPERAND
    if (all) heed_v_store(to, x);
    else heed_v_store_part(to, x, count);
}

/* The epilogue of one tile. */
static void finish(const heed_gemm *gemm, heed_gemm_area area, const float *sums, ptrdiff_t stride)
{
    const int64_t m = area.row, n = area.column;
    const int columns = (int)area.columns;
    for (int r = 0; r < (int)area.rows; r++) {
        int j = 0;
        for (; j + HEED_LANES <= columns; j += HEED_LANES)
            finish_vector(gemm, m + r, n + j, heed_v_load(sums + r * stride + j), HEED_LANES, true);
        if (j == columns) continue;
        heed_v rest = heed_v_load_part(sums + r * stride + j, columns - j);
        finish_vector(gemm, m + r, n + j, rest, columns - j, false);
    }
}

/* Pairs of two vectors of floats rounded to bf16: `first` in the high halves, `second` in the low
   ones. */
HEED_INLINE heed_v join_pair(heed_v first, heed_v second)
{
    const heed_vi low = heed_vi_and(heed_vi_right_16(heed_v_bits(heed_v_round_bf16(second))),
                                    heed_vi_set(0xFFFF));
    return heed_v_from_bits(heed_vi_or(heed_v_bits(heed_v_round_bf16(first)), low));
}

static void pack_n_pairs(float *out, int width, heed_gemm_rows source, int64_t rows, int valid)
{
    for (int64_t k = 0; k < rows; k += 2, out += width)
        for (int j = 0; j < width; j += HEED_LANES) {
            heed_v second = k + 1 < rows ? load_lanes(source, k + 1, j, valid - j, false)
                                         : heed_v_zero();
            heed_v_store(out + j, join_pair(load_lanes(source, k, j, valid - j, false), second));
        }
}

static void pack_t_pairs(float *out, int width, heed_gemm_rows source, int64_t rows, int valid)
{
    for (int j = 0; j < width; j += HEED_LANES)
        for (int64_t k = 0; k < rows; k += HEED_LANES) {
            const int64_t count = rows - k < HEED_LANES ? rows - k : HEED_LANES;
            heed_v block[HEED_LANES];
            for (int i = 0; i < HEED_LANES; i++)
                block[i] = load_lanes(source, j + i, k, j + i < valid ? count : 0, false);
            transpose_block(block);
            for (int64_t i = 0; i < count; i += 2)
                heed_v_store(out + (k + i) / 2 * width + j, join_pair(block[i], block[i + 1]));
        }
}

#define PACKERS                                                                 \
    .floats = {pack_n_floats, pack_t_floats, pack_n_floats, pack_tiles_floats}, \
    .bf16 = {pack_n_bf16, pack_t_bf16, pack_n_bf16, pack_tiles_bf16},           \
    .bf16_pairs = {.pack_n = pack_n_pairs, .pack_t = pack_t_pairs}

#endif
