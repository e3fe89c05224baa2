/* tiles.h: the micro-kernels, register tiles in terms of cpu/vector.h. Each file that includes this
   once lists the tile shapes that its registers hold. tiles_bf16.c multiplies pairs instead of
   floats. */
#ifndef HEED_CPU_GEMM_TILES_H
#define HEED_CPU_GEMM_TILES_H

#include "cpu/gemm/kernels.h"
#include "cpu/unroll.h"
#include "cpu/vector.h"

#ifndef MULTIPLY_ADD
#define MULTIPLY_ADD(x, column, sum) heed_v_fma(x, column, sum)
#endif

HEED_INLINE const char *address(const void *source, ptrdiff_t at, heed_gemm_type type)
{
    return (const char *)source + at * heed_gemm_type_bytes(type);
}

/* A vector of elements of this type, widened to floats. PAIRS are loaded as they are. */
HEED_INLINE heed_v load_as(const void *source, ptrdiff_t at, heed_gemm_type type)
{
    switch (type) {
    case HEED_GEMM_F16: return heed_v_load_f16((const uint16_t *)source + at);
    case HEED_GEMM_BF16: return heed_v_load_bf16((const uint16_t *)source + at);
    default: return heed_v_load((const float *)source + at);
    }
}

/* The first `count` elements of a vector, then zeros. */
HEED_INLINE heed_v load_part_as(const void *source, ptrdiff_t at, heed_gemm_type type,
                                int64_t count)
{
    switch (type) {
    case HEED_GEMM_F16: return heed_v_load_f16_part((const uint16_t *)source + at, count);
    case HEED_GEMM_BF16: return heed_v_load_bf16_part((const uint16_t *)source + at, count);
    default: return heed_v_load_part((const float *)source + at, count);
    }
}

/* The values of the even k and of the odd k of a vector of pairs, as floats. */
HEED_INLINE heed_v first_of_pairs(heed_v x)
{
    return heed_v_from_bits(heed_vi_and(heed_v_bits(x), heed_vi_set((int32_t)0xFFFF0000)));
}
HEED_INLINE heed_v second_of_pairs(heed_v x)
{
    return heed_v_from_bits(heed_vi_left_16(heed_v_bits(x)));
}

/* The place of the element at (row, column). */
HEED_INLINE ptrdiff_t place_in_rows(heed_gemm_rows source, int64_t row, int64_t column)
{
    return (source.type == HEED_GEMM_PAIRS ? row / 2 : row) * source.stride + column;
}

HEED_INLINE void prefetch_element(heed_gemm_rows source, int64_t row, int64_t column)
{
    __builtin_prefetch(address(source.data, place_in_rows(source, row, column), source.type));
}

/* The first `count` lanes of a row from `column` on, then zeros; rounded to bf16 if `bf16`. */
HEED_INLINE heed_v load_lanes(heed_gemm_rows source, int64_t row, int64_t column, int64_t count,
                              const bool bf16)
{
    const ptrdiff_t at = place_in_rows(source, row, column);
    heed_v x = count >= HEED_LANES ? load_as(source.data, at, source.type)
                                   : load_part_as(source.data, at, source.type, count);
    if (source.type == HEED_GEMM_PAIRS) x = row % 2 ? second_of_pairs(x) : first_of_pairs(x);
    return bf16 ? heed_v_round_bf16(x) : x;
}

/* Row r of A if the tile has it, otherwise its first row. */
HEED_INLINE const float *row_of_a(const heed_gemm_tile *tile, const int r, const int rows)
{
    return tile->a + (rows > r ? r : 0) * tile->a_row;
}

/* One value of k of a tile: the element of A of each row times the columns of B. Three rows share
   one address register. */
HEED_INLINE void add_k(heed_v sum[][8], const float *const a[4], ptrdiff_t a_row,
                       const heed_v *column, const int vectors, const int rows)
{
    HEED_UNROLL for (int r = 0; r < rows; r++)
    {
        heed_v x = heed_v_set(a[r / 3][r % 3 * a_row]);
        HEED_UNROLL for (int v = 0; v < vectors; v++)
            sum[r][v] = MULTIPLY_ADD(x, column[v], sum[r][v]);
    }
}

/* The micro-kernel: the loop over k, with rows x vectors accumulators in registers.
   1. sums: start from `from`, or from 0
   2. for each k_group: load a row of B, and for each row of A add its element times that row
   3. store the sums
   A load of PAIRS brings two values of k; the last load of an odd depth brings one.

   Tiles of many rows walk one panel, too slowly for the prefetcher of the processor to stay ahead
   of memory, so they prefetch it themselves. Wide tiles walk several panels at once; there the
   processor does best alone. */
enum { FETCH_AHEAD = 4096 }; /* bytes from the address in use to the one to prefetch */
HEED_INLINE void run_tile(const heed_gemm_tile *tile, heed_gemm_type type, const int vectors,
                          const int rows)
{
    heed_v sum[HEED_GEMM_MAX_ROWS][8];
    const float *from = tile->from;
    float *to = tile->to;
    const ptrdiff_t from_stride = tile->from_stride, to_stride = tile->to_stride;
    HEED_UNROLL for (int r = 0; r < rows; r++) HEED_UNROLL for (int v = 0; v < vectors; v++)
        sum[r][v] = from ? heed_v_load(from + r * from_stride + v * HEED_LANES) : heed_v_zero();
    const ptrdiff_t a_row = tile->a_row, a_step = tile->a_step, a_ahead = tile->a_ahead;
    const ptrdiff_t b_step = tile->b_step, b_panel = tile->b_panel;
    const float *a[4] = {tile->a, row_of_a(tile, 3, rows), row_of_a(tile, 6, rows),
                         row_of_a(tile, 9, rows)};
    const void *b = tile->b;
    ptrdiff_t at = 0;
    for (int64_t k = tile->depth; k > 0; k -= heed_gemm_type_k_group(type)) {
        heed_v column[8];
        HEED_UNROLL for (int v = 0; v < vectors; v++) column[v] = load_as(
            b,
            at + v / HEED_GEMM_PANEL_VECTORS * b_panel + v % HEED_GEMM_PANEL_VECTORS * HEED_LANES,
            type);
        if (vectors == HEED_GEMM_PANEL_VECTORS) {
            const char *ahead = address(b, at, type) + FETCH_AHEAD;
            __builtin_prefetch(ahead);
            if (heed_gemm_type_bytes(type) * HEED_LANES == 64) __builtin_prefetch(ahead + 64);
        }
        if (vectors <= HEED_GEMM_PANEL_VECTORS && rows > 5) {
            __builtin_prefetch(a[0] + a_ahead);
            __builtin_prefetch(a[(rows - 1) / 3] + (rows - 1) % 3 * a_row + a_ahead);
        }
        if (type == HEED_GEMM_PAIRS) {
            heed_v first[8];
            HEED_UNROLL for (int v = 0; v < vectors; v++) first[v] = first_of_pairs(column[v]);
            add_k(sum, a, a_row, first, vectors, rows);
            if (k == 1) break;
            HEED_UNROLL for (int i = 0; i < 4; i++) a[i] += a_step;
            HEED_UNROLL for (int v = 0; v < vectors; v++) column[v] = second_of_pairs(column[v]);
        }
        add_k(sum, a, a_row, column, vectors, rows);
        HEED_UNROLL for (int i = 0; i < 4; i++) a[i] += a_step;
        at += b_step;
    }
    HEED_UNROLL for (int r = 0; r < rows; r++) HEED_UNROLL for (int v = 0; v < vectors; v++)
        heed_v_store(to + r * to_stride + v * HEED_LANES, sum[r][v]);
}

/* SHAPES(X) of each file lists the tiles X(width index, vectors, rows). These macros make their
   kernels and their places in the table. */
#define TILE(type, vectors, rows)                                            \
    static void tile_##type##_##vectors##x##rows(const heed_gemm_tile *tile) \
    {                                                                        \
        run_tile(tile, HEED_GEMM_##type, vectors, rows);                     \
    }
#define TILE_TYPES(index, vectors, rows) \
    TILE(F32, vectors, rows)             \
    TILE(F16, vectors, rows) TILE(BF16, vectors, rows) TILE(PAIRS, vectors, rows)
#define TILE_ENTRIES(index, vectors, rows)                             \
    .tile[HEED_GEMM_F32][index][rows] = tile_F32_##vectors##x##rows,   \
    .tile[HEED_GEMM_F16][index][rows] = tile_F16_##vectors##x##rows,   \
    .tile[HEED_GEMM_BF16][index][rows] = tile_BF16_##vectors##x##rows, \
    .tile[HEED_GEMM_PAIRS][index][rows] = tile_PAIRS_##vectors##x##rows,

#endif
