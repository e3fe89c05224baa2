/* block_tiles.h: the bodies of the kernels over blocks, in terms of cpu/vector.h and of what a file defines before it includes this:
     heed_bytes                 a vector of HEED_LANES times four bytes
     bytes_load(p)              unaligned
     bytes_low(v) bytes_high(v) the nibbles
     bytes_shift(v, n, mask)    each byte's bits moved up by n (down by -n), those of the mask kept
     bytes_or(a, b)
     dot(sum, q, x)             sum (heed_vi) + the four products of each lane's bytes q, at most 63, and the signed bytes of the int32 x
     DOTS_ANY_BYTE              1: dot takes any bytes q, and dot_byte is not used
     dot_byte(sum, q, x)        the same for q - 128, q any byte
     widen(p) widen_signed(p)   HEED_LANES bytes as heed_vi
     times(a, b)                of heed_vi */
#ifndef HEED_CPU_GEMM_BLOCK_TILES_H
#define HEED_CPU_GEMM_BLOCK_TILES_H

#include "cpu/gemm/blocks.h"
#include "cpu/vector.h"
#include <string.h>

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif
#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* The eight groups of a run. */
ALWAYS_INLINE void load_groups(const uint8_t *run, const int bits, heed_bytes q[8])
{
    enum { VECTOR = 4 * HEED_LANES };
    if (bits == 8) {
        UNROLL for (int g = 0; g < 8; g++) q[g] = bytes_load(run + g * VECTOR);
        return;
    }
    UNROLL for (int g = 0; g < 4; g++) {
        heed_bytes both = bytes_load(run + g * VECTOR);
        q[g] = bytes_low(both);
        q[g + 4] = bytes_high(both);
    }
    if (bits == 5) {
        heed_bytes fifth = bytes_load(run + 4 * VECTOR);
        UNROLL for (int g = 0; g < 8; g++) q[g] = bytes_or(q[g], bytes_shift(fifth, 4 - g, 0x10));
    }
    if (bits == 6) {
        heed_bytes high[2] = {bytes_load(run + 4 * VECTOR), bytes_load(run + 5 * VECTOR)};
        UNROLL for (int g = 0; g < 8; g++) q[g] = bytes_or(q[g], bytes_shift(high[g / 4], 4 - g % 4 * 2, 0x30));
    }
}

ALWAYS_INLINE int32_t group_of(const heed_q8_run *a, int g)
{
    int32_t x;
    memcpy(&x, a->x + 4 * g, sizeof x);
    return x;
}

/* The exact sum of w x over half h of a run. */
ALWAYS_INLINE heed_vi half_sum(const heed_bytes q[8], const heed_q8_run *a, int h, const int bits, const int zero)
{
    const bool bytes = bits == 8 && !DOTS_ANY_BYTE;
    heed_vi sum = heed_vi_set(bytes ? 0 : -zero * a->half[h]);
    UNROLL for (int g = 0; g < 4; g++) {
        const int32_t x = group_of(a, 4 * h + g);
        sum = bytes ? dot_byte(sum, q[4 * h + g], x) : dot(sum, q[4 * h + g], x);
    }
    return sum;
}

/* One run of `rows` rows: the two lines of tensor/block_dot.h. */
ALWAYS_INLINE void add_run(const heed_block_tile *tile, int64_t at, const uint8_t *run, heed_v d, heed_v m, heed_v acc[HEED_BLOCK_MAX_ROWS], const int bits,
                           const int zero, const heed_block_scales scales, const int rows)
{
    heed_bytes q[8];
    heed_vi first, second;
    if (scales == HEED_SCALES_RUNS) {
        d = heed_v_mul(d, heed_vi_to_float(widen(run)));
        m = heed_v_mul(m, heed_vi_to_float(widen(run + HEED_LANES)));
    }
    if (scales == HEED_SCALES_HALVES) first = widen_signed(run), second = widen_signed(run + HEED_LANES);
    load_groups(run + (scales == HEED_SCALES_RUNS || scales == HEED_SCALES_HALVES ? 2 * HEED_LANES : 0), bits, q);
    UNROLL for (int r = 0; r < rows; r++) {
        const heed_q8_run *a = tile->a + r * tile->a_row + at;
        heed_vi low = half_sum(q, a, 0, bits, zero), high = half_sum(q, a, 1, bits, zero);
        if (scales == HEED_SCALES_HALVES) low = times(low, first), high = times(high, second);
        heed_v sum = heed_vi_to_float(heed_vi_add(low, high));
        acc[r] = heed_v_fma(heed_v_mul(d, heed_v_set(a->d)), sum, acc[r]);
        if (scales == HEED_SCALES_MINIMUM || scales == HEED_SCALES_RUNS) acc[r] = heed_v_fma(m, heed_v_set(a->sum), acc[r]);
    }
}

ALWAYS_INLINE void run_tile(const heed_block_tile *tile, const int bits, const int zero, const heed_block_scales scales, const int rows)
{
    const bool long_block = scales == HEED_SCALES_RUNS || scales == HEED_SCALES_HALVES;
    const bool minimum = scales == HEED_SCALES_MINIMUM || scales == HEED_SCALES_RUNS;
    const int runs = long_block ? 8 : 1, step = HEED_LANES * (bits * HEED_RUN / 8 + (long_block ? 2 : 0)), head = (minimum ? 4 : 2) * HEED_LANES;
    const uint8_t *block = tile->panel;
    heed_v acc[HEED_BLOCK_MAX_ROWS];
    UNROLL for (int r = 0; r < rows; r++) acc[r] = heed_v_zero();
    for (int64_t i = 0; i < tile->blocks; i++, block += head + runs * step) {
        uint16_t scale[2][HEED_LANES];
        memcpy(scale, block, (size_t)head);
        heed_v d = heed_v_load_f16(scale[0]), m = minimum ? heed_v_load_f16(scale[1]) : heed_v_zero();
        if (scales == HEED_SCALES_RUNS) m = heed_v_mul(m, heed_v_set(-1));
        for (int r = 0; r < runs; r++) add_run(tile, i * runs + r, block + head + r * step, d, m, acc, bits, zero, scales, rows);
    }
    UNROLL for (int r = 0; r < rows; r++) heed_v_store(tile->to + r * tile->to_stride, acc[r]);
}

/* heed_q8_run_make, in loops that compilers turn into vectors. */
static void round_runs(const float *values, int64_t runs, heed_q8_run *out)
{
    for (; runs > 0; runs--, values += HEED_RUN, out++) {
        uint32_t bits[HEED_RUN], largest = 0;
        memcpy(bits, values, sizeof bits);
        for (int i = 0; i < HEED_RUN; i++) {
            uint32_t magnitude = bits[i] & 0x7FFFFFFF;
            largest = magnitude > largest ? magnitude : largest;
        }
        float magnitude;
        memcpy(&magnitude, &largest, 4);
        if (largest >= 0x7F800000 || magnitude < 0x1p-100f) { /* rare, and slower */
            heed_q8_run_make(values, out);
            continue;
        }
        const float inverse = 127 / magnitude, step = magnitude / 127;
        int32_t rounded[HEED_RUN], low = 0, high = 0;
        for (int i = 0; i < HEED_RUN; i++) rounded[i] = (int32_t)__builtin_rintf(values[i] * inverse);
        for (int i = 0; i < HEED_RUN; i++) out->x[i] = (int8_t)rounded[i];
        for (int i = 0; i < 16; i++) low += rounded[i];
        for (int i = 16; i < HEED_RUN; i++) high += rounded[i];
        out->d = heed_round_11_bits(step);
        out->half[0] = low, out->half[1] = high;
        out->sum = heed_round_11_bits(step * (float)(low + high));
    }
}

/* The six formats in the order of heed_block_traits_table, for tiles of 1 to ROWS rows. */
#define TILE(name, bits, zero, scales, rows) \
    static void tile_##name##_##rows(const heed_block_tile *tile) { run_tile(tile, bits, zero, scales, rows); }
#define FOUR_TILES(X, ...) X(__VA_ARGS__, 1) X(__VA_ARGS__, 2) X(__VA_ARGS__, 3) X(__VA_ARGS__, 4)
#define EIGHT_TILES(X, ...) FOUR_TILES(X, __VA_ARGS__) X(__VA_ARGS__, 5) X(__VA_ARGS__, 6) X(__VA_ARGS__, 7) X(__VA_ARGS__, 8)
#define FORMATS(TILES)                                      \
    TILES(TILE, q4_0, 4, 8, HEED_SCALES_ONE)                \
    TILES(TILE, q4_1, 4, 0, HEED_SCALES_MINIMUM)            \
    TILES(TILE, q5_0, 5, 16, HEED_SCALES_ONE)               \
    TILES(TILE, q8_0, 8, 128, HEED_SCALES_ONE)              \
    TILES(TILE, q4_k, 4, 0, HEED_SCALES_RUNS)               \
    TILES(TILE, q6_k, 6, 32, HEED_SCALES_HALVES)
#define FOUR(name) {NULL, tile_##name##_1, tile_##name##_2, tile_##name##_3, tile_##name##_4}
#define EIGHT(name) \
    {NULL, tile_##name##_1, tile_##name##_2, tile_##name##_3, tile_##name##_4, tile_##name##_5, tile_##name##_6, tile_##name##_7, tile_##name##_8}
#define ENTRIES(ROWS) {ROWS(q4_0), ROWS(q4_1), ROWS(q5_0), ROWS(q8_0), ROWS(q4_k), ROWS(q6_k)}

#endif
