/* tiles.h: the register tiles in terms of cpu/vector.h. Each file that includes this once lists the tile shapes its registers hold;
   tiles_bf16.c multiplies pairs instead of floats. */
#ifndef HEED_CPU_GEMM_TILES_H
#define HEED_CPU_GEMM_TILES_H

#include "cpu/gemm/kernels.h"
#include "cpu/vector.h"

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#ifndef MULTIPLY_ADD
#define MULTIPLY_ADD(x, column, sum) heed_v_fma(x, column, sum)
#endif

ALWAYS_INLINE const char *address(const void *source, ptrdiff_t at, heed_gemm_type type)
{
    return (const char *)source + at * heed_gemm_type_bytes(type);
}

ALWAYS_INLINE heed_v load_as(const void *source, ptrdiff_t at, heed_gemm_type type)
{
    switch (type) {
    case HEED_GEMM_F16: return heed_v_load_f16((const uint16_t *)source + at);
    case HEED_GEMM_BF16: return heed_v_load_bf16((const uint16_t *)source + at);
    default: return heed_v_load((const float *)source + at);
    }
}

ALWAYS_INLINE heed_v load_part_as(const void *source, ptrdiff_t at, heed_gemm_type type, int64_t count)
{
    switch (type) {
    case HEED_GEMM_F16: return heed_v_load_f16_part((const uint16_t *)source + at, count);
    case HEED_GEMM_BF16: return heed_v_load_bf16_part((const uint16_t *)source + at, count);
    default: return heed_v_load_part((const float *)source + at, count);
    }
}

/* The steps of pairs, widened. */
ALWAYS_INLINE heed_v first_of_pairs(heed_v x) { return heed_v_from_bits(heed_vi_and(heed_v_bits(x), heed_vi_set((int32_t)0xFFFF0000))); }
ALWAYS_INLINE heed_v second_of_pairs(heed_v x) { return heed_v_from_bits(heed_vi_left_16(heed_v_bits(x))); }

/* Where the element at (row, column) stands, rows being `stride` elements apart. */
ALWAYS_INLINE ptrdiff_t place_in_rows(int64_t row, ptrdiff_t stride, int64_t column, heed_gemm_type type)
{
    return (type == HEED_GEMM_PAIRS ? row / 2 : row) * stride + column;
}

/* The first `count` lanes of a row from `column` on; zeros behind them. */
ALWAYS_INLINE heed_v load_lanes(const void *source, int64_t row, ptrdiff_t stride, int64_t column, heed_gemm_type type, int64_t count,
                                const bool rounded)
{
    const ptrdiff_t at = place_in_rows(row, stride, column, type);
    heed_v x = count >= HEED_LANES ? load_as(source, at, type) : load_part_as(source, at, type, count);
    if (type == HEED_GEMM_PAIRS) x = row % 2 ? second_of_pairs(x) : first_of_pairs(x);
    return rounded ? heed_v_round_bf16(x) : x;
}

/* Row r of A if the tile has it, else its first row. */
ALWAYS_INLINE const float *row_of_a(const heed_gemm_tile *tile, const int r, const int rows)
{
    return tile->a + (rows > r ? r : 0) * tile->a_row;
}

/* One step of a tile: every row's element of A times the columns of B. Three rows share an address register. */
ALWAYS_INLINE void add_step(heed_v sum[][8], const float *const a[4], ptrdiff_t a_row, const heed_v *column, const int vectors, const int rows)
{
    UNROLL for (int r = 0; r < rows; r++) {
        heed_v x = heed_v_set(a[r / 3][r % 3 * a_row]);
        UNROLL for (int v = 0; v < vectors; v++) sum[r][v] = MULTIPLY_ADD(x, column[v], sum[r][v]);
    }
}

/* The register tile: rows x vectors accumulators, each the one chain of its element. Of pairs every load brings two steps, the last of
   an odd depth one. Tall tiles walk one panel too slowly for the processor's own prefetching to stay ahead of memory, and fetch it themselves;
   wide ones walk several panels at once, where it does best alone. */
enum { FETCH_AHEAD = 4096 }; /* bytes */
ALWAYS_INLINE void run_tile(const heed_gemm_tile *tile, heed_gemm_type type, const int vectors, const int rows)
{
    heed_v sum[HEED_GEMM_MAX_ROWS][8];
    const float *from = tile->from;
    float *to = tile->to;
    const ptrdiff_t from_stride = tile->from_stride, to_stride = tile->to_stride;
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int v = 0; v < vectors; v++)
            sum[r][v] = from ? heed_v_load(from + r * from_stride + v * HEED_LANES) : heed_v_zero();
    const ptrdiff_t a_row = tile->a_row, a_step = tile->a_step, a_ahead = tile->a_ahead;
    const ptrdiff_t b_step = tile->b_step, b_panel = tile->b_panel;
    const float *a[4] = {tile->a, row_of_a(tile, 3, rows), row_of_a(tile, 6, rows), row_of_a(tile, 9, rows)};
    const void *b = tile->b;
    ptrdiff_t at = 0;
    for (int64_t k = tile->depth; k > 0; k -= heed_gemm_type_steps(type)) {
        heed_v column[8];
        UNROLL for (int v = 0; v < vectors; v++)
            column[v] = load_as(b, at + v / HEED_GEMM_PANEL_VECTORS * b_panel + v % HEED_GEMM_PANEL_VECTORS * HEED_LANES, type);
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
            UNROLL for (int v = 0; v < vectors; v++) first[v] = first_of_pairs(column[v]);
            add_step(sum, a, a_row, first, vectors, rows);
            if (k == 1) break;
            UNROLL for (int i = 0; i < 4; i++) a[i] += a_step;
            UNROLL for (int v = 0; v < vectors; v++) column[v] = second_of_pairs(column[v]);
        }
        add_step(sum, a, a_row, column, vectors, rows);
        UNROLL for (int i = 0; i < 4; i++) a[i] += a_step;
        at += b_step;
    }
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int v = 0; v < vectors; v++) heed_v_store(to + r * to_stride + v * HEED_LANES, sum[r][v]);
}

/* SHAPES(X) of each file lists the tiles X(width index, vectors, rows); here their kernels and their places in the table. */
#define TILE(type, vectors, rows) \
    static void tile_##type##_##vectors##x##rows(const heed_gemm_tile *tile) { run_tile(tile, HEED_GEMM_##type, vectors, rows); }
#define TILE_TYPES(index, vectors, rows) TILE(F32, vectors, rows) TILE(F16, vectors, rows) TILE(BF16, vectors, rows) TILE(PAIRS, vectors, rows)
#define TILE_ENTRIES(index, vectors, rows) \
    .tile[HEED_GEMM_F32][index][rows] = tile_F32_##vectors##x##rows, \
    .tile[HEED_GEMM_F16][index][rows] = tile_F16_##vectors##x##rows, \
    .tile[HEED_GEMM_BF16][index][rows] = tile_BF16_##vectors##x##rows, \
    .tile[HEED_GEMM_PAIRS][index][rows] = tile_PAIRS_##vectors##x##rows,

#endif
