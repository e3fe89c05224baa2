/* quantized_tiles.h: the bodies of the quantized micro-kernels, in terms of cpu/vector.h and of
   what a file defines before it includes this:
     heed_bytes                 a vector of HEED_LANES times four bytes
     bytes_load(p)              loads one, unaligned
     bytes_low(v) bytes_high(v) the low and the high nibble of each byte
     bytes_shift(v, n, mask)    the bits of each byte moved up by n (down by -n), then masked
     bytes_or(a, b)             the bits of both
     heed_splat splat(p)        four signed bytes, repeated in every lane
     HOLD(x)                    keeps a splat in a register
     dot(sum, q, x)             sum (heed_vi) + in each lane the four products of bytes q, at most
                                63, and a splat x
     DOTS_ANY_BYTE              1: dot takes any bytes q, and dot_byte is not used
     dot_byte(sum, q, x)        the same with q - 128, for any bytes q
     widen(p) widen_signed(p)   HEED_LANES bytes as heed_vi
     HAS_QUANTIZE_VALUES        defined if the file brings quantize_values and max_bits of its own

   The steps for each run of 32 values of k:
   1. scales: load those of the qblock, and of the run if it has its own      load_scales, load_run
   2. unpack: the run becomes eight groups of bytes                           load_groups
   3. dot: integer sums of bytes times the quantized row of A                 add_group
   4. scale: the integer sums, times both scales, are added in f32            add_run */
#ifndef HEED_CPU_GEMM_QUANTIZED_TILES_H
#define HEED_CPU_GEMM_QUANTIZED_TILES_H

#include "cpu/gemm/quantized.h"
#include "cpu/unroll.h"
#include "cpu/vector.h"
#include <string.h>

/* Step 2: unpacks a run into its eight groups of four values, one byte each. */
HEED_INLINE void load_groups(const uint8_t *run, const int bits, heed_bytes q[8])
{
    enum { VECTOR = 4 * HEED_LANES };
    if (bits == 8) {
        HEED_UNROLL for (int g = 0; g < 8; g++) q[g] = bytes_load(run + g * VECTOR);
        return;
    }
    HEED_UNROLL for (int g = 0; g < 4; g++)
    {
        heed_bytes both = bytes_load(run + g * VECTOR);
        q[g] = bytes_low(both);
        q[g + 4] = bytes_high(both);
    }
    if (bits == 5) {
        heed_bytes fifth = bytes_load(run + 4 * VECTOR);
        HEED_UNROLL for (int g = 0; g < 8; g++)
            q[g] = bytes_or(q[g], bytes_shift(fifth, 4 - g, 0x10));
    }
    if (bits == 6) {
        heed_bytes high[2] = {bytes_load(run + 4 * VECTOR), bytes_load(run + 5 * VECTOR)};
        HEED_UNROLL for (int g = 0; g < 8; g++)
            q[g] = bytes_or(q[g], bytes_shift(high[g / 4], 4 - g % 4 * 2, 0x30));
    }
}

/* How one format is multiplied: bits of a value, the value that means 0, kind of scales. All are
   constants after inlining. */
typedef struct {
    int bits, zero;
    heed_qblock_scales scales;
} format;

HEED_INLINE bool has_minimum(const format f)
{
    return f.scales == HEED_SCALES_MINIMUM || f.scales == HEED_SCALES_RUNS;
}
/* Has a qblock eight runs, each with scales of its own? */
HEED_INLINE bool is_long(const format f)
{
    return f.scales == HEED_SCALES_RUNS || f.scales == HEED_SCALES_HALVES;
}
/* Bytes of a qblock of a panel before its runs; bytes of one run with its scales. */
HEED_INLINE ptrdiff_t head_bytes(const format f)
{
    return (has_minimum(f) ? 4 : 2) * HEED_LANES;
}
HEED_INLINE ptrdiff_t bytes_of_run(const format f)
{
    return HEED_LANES * (f.bits * HEED_RUN / 8 + (is_long(f) ? 2 : 0));
}

/* A run of one panel, unpacked: its groups, its scales d and minima m, or the scales of its
   halves. */
typedef struct {
    heed_bytes q[8];
    heed_v d, m, halves[2];
} panel_run;

/* Step 1 for a qblock: its scales and minima, as floats. */
HEED_INLINE void load_scales(const uint8_t *block, const format f, panel_run *w)
{
    uint16_t scale[2][HEED_LANES];
    memcpy(scale, block, (size_t)head_bytes(f));
    w->d = heed_v_load_f16(scale[0]);
    w->m = has_minimum(f) ? heed_v_load_f16(scale[1]) : heed_v_zero();
}

/* Steps 1 and 2 for a run: w comes with the scales of the qblock, and leaves with those of the run
   and its groups. */
HEED_INLINE void load_run(const uint8_t *run, const format f, panel_run *w)
{
    if (f.scales == HEED_SCALES_RUNS) {
        w->d = heed_v_mul(w->d, heed_vi_to_float(widen(run)));
        w->m = heed_v_mul(heed_v_mul(w->m, heed_v_set(-1)),
                          heed_vi_to_float(widen(run + HEED_LANES)));
    }
    if (f.scales == HEED_SCALES_HALVES) {
        w->halves[0] = heed_vi_to_float(widen_signed(run));
        w->halves[1] = heed_vi_to_float(widen_signed(run + HEED_LANES));
    }
    load_groups(run + (is_long(f) ? 2 * HEED_LANES : 0), f.bits, w->q);
}

/* What an integer sum starts from: -zero times the sum of the quantized row, so that dot may take
   values before their zero is subtracted. */
HEED_INLINE heed_vi start_of(const heed_q8_run *a, int half, const format f)
{
    return heed_vi_set(f.zero == 0 || (f.bits == 8 && !DOTS_ANY_BYTE) ? 0 : a->start[half]);
}

/* Step 3 for one group. */
HEED_INLINE heed_vi add_group(heed_vi sum, heed_bytes q, heed_splat x, const format f)
{
    return f.bits == 8 && !DOTS_ANY_BYTE ? dot_byte(sum, q, x) : dot(sum, q, x);
}

/* Step 4: the two lines of tensor/qblock_dot.h. With scales for halves the sums times these scales
   stay below 2^24, so they are exact in f32. */
HEED_INLINE heed_v add_run(heed_v acc, heed_vi low, heed_vi high, const panel_run *w,
                           const heed_q8_run *a, const format f)
{
    heed_v sum = f.scales == HEED_SCALES_HALVES
                     ? heed_v_fma(heed_vi_to_float(high), w->halves[1],
                                  heed_v_mul(heed_vi_to_float(low), w->halves[0]))
                     : heed_vi_to_float(low);
    acc = heed_v_fma(heed_v_mul(w->d, heed_v_set(a->dx)), sum, acc);
    return has_minimum(f) ? heed_v_fma(w->m, heed_v_set(a->sum), acc) : acc;
}

/* One row and one panel. There are two accumulators for integer sums, so that dots need not wait
   for each other; the sum of the element stays in a register. */
HEED_INLINE void one_row(const heed_qgemm_tile *tile, const format f)
{
    const heed_q8_run *a = tile->a;
    const uint8_t *block = tile->panel;
    heed_v acc = heed_v_zero();
    for (int64_t i = 0; i < tile->blocks; i++) {
        panel_run head;
        load_scales(block, f, &head);
        block += head_bytes(f);
        for (int r = 0; r < (is_long(f) ? 8 : 1); r++, a += tile->a_run, block += bytes_of_run(f)) {
            panel_run w = head;
            load_run(block, f, &w);
            heed_vi low = start_of(a, 0, f),
                    high = f.scales == HEED_SCALES_HALVES ? start_of(a, 1, f) : heed_vi_set(0);
            HEED_UNROLL for (int g = 0; g < 4; g++)
            {
                low = add_group(low, w.q[g], splat(a->x + 4 * g), f);
                high = add_group(high, w.q[g + 4], splat(a->x + 4 * g + 16), f);
            }
            acc = add_run(acc, f.scales == HEED_SCALES_HALVES ? low : heed_vi_add(low, high), high,
                          &w, a, f);
        }
    }
    heed_v_store(tile->to, acc);
}

/* Steps 3 and 4 for one run of `wide` panels times every row. The weights of the run stay in
   registers; sums lie in tile->to, which the first-level cache holds. */
HEED_INLINE void add_rows(const heed_qgemm_tile *tile, const panel_run w[2], const heed_q8_run *a,
                          const format f, const int wide)
{
    float *to = tile->to;
    for (int i = 0; i < tile->rows; i++, a++, to += wide * HEED_LANES) {
        heed_vi low[2], high[2];
        HEED_UNROLL for (int v = 0; v < wide; v++)
        {
            low[v] = start_of(a, 0, f);
            high[v] = f.scales == HEED_SCALES_HALVES ? start_of(a, 1, f) : low[v];
        }
        HEED_UNROLL for (int g = 0; g < 8; g++)
        {
            heed_splat x = splat(a->x + 4 * g);
            if (wide > 1) HOLD(x);
            HEED_UNROLL for (int v = 0; v < wide; v++)
            {
                if (f.scales == HEED_SCALES_HALVES && g >= 4)
                    high[v] = add_group(high[v], w[v].q[g], x, f);
                else low[v] = add_group(low[v], w[v].q[g], x, f);
            }
        }
        HEED_UNROLL for (int v = 0; v < wide; v++)
            heed_v_store(to + v * HEED_LANES,
                         add_run(heed_v_load(to + v * HEED_LANES), low[v], high[v], &w[v], a, f));
    }
}

/* Several rows and one panel or two. */
HEED_INLINE void many_rows(const heed_qgemm_tile *tile, const format f, const int wide)
{
    const heed_q8_run *a = tile->a;
    const uint8_t *block = tile->panel;
    for (int i = 0; i < tile->rows * wide; i++)
        heed_v_store(tile->to + i * HEED_LANES, heed_v_zero());
    for (int64_t i = 0; i < tile->blocks; i++) {
        panel_run head[2];
        HEED_UNROLL for (int v = 0; v < wide; v++)
            load_scales(block + v * tile->panel_stride, f, &head[v]);
        block += head_bytes(f);
        for (int r = 0; r < (is_long(f) ? 8 : 1); r++, a += tile->a_run, block += bytes_of_run(f)) {
            panel_run w[2];
            HEED_UNROLL for (int v = 0; v < wide; v++)
            {
                w[v] = head[v];
                load_run(block + v * tile->panel_stride, f, &w[v]);
            }
            add_rows(tile, w, a, f, wide);
        }
    }
}

#ifndef HAS_QUANTIZE_VALUES
/* Rounds the values of a run times scale, and sums each half. Compilers turn these loops into
   vector code. */
static inline void quantize_values(const float *values, float scale, int8_t *x, int32_t *low,
                                   int32_t *high)
{
    int32_t q[HEED_RUN];
    *low = *high = 0;
    for (int i = 0; i < HEED_RUN; i++) q[i] = (int32_t)__builtin_rintf(values[i] * scale);
    for (int i = 0; i < HEED_RUN; i++) x[i] = (int8_t)q[i];
    for (int i = 0; i < 16; i++) *low += q[i];
    for (int i = 16; i < HEED_RUN; i++) *high += q[i];
}

/* The largest absolute value of a run, as bits: NaN and infinity are larger than any number. */
static inline uint32_t max_bits(const float *values)
{
    uint32_t bits[HEED_RUN], max = 0;
    memcpy(bits, values, sizeof bits);
    for (int i = 0; i < HEED_RUN; i++) {
        uint32_t magnitude = bits[i] & 0x7FFFFFFF;
        max = magnitude > max ? magnitude : max;
    }
    return max;
}
#endif

/* Quantizes consecutive runs of a row of A to 8 bits, with the bits of heed_q8_run_make. */
static void quantize_runs(const float *values, const heed_qblock_traits *traits, int64_t runs,
                          ptrdiff_t apart, heed_q8_run *out)
{
    const int zero = traits->zero;
    const bool halves = traits->scales == HEED_SCALES_HALVES;
    for (; runs > 0; runs--, values += HEED_RUN, out += apart) {
        const uint32_t max = max_bits(values);
        float magnitude;
        memcpy(&magnitude, &max, 4);
        /* NaN, infinity and tiny values are rare: the slow way */
        if (max >= 0x7F800000 || magnitude < 0x1p-100f) {
            heed_q8_run_make(values, traits, out);
            continue;
        }
        const float scale = 127 / magnitude, step_size = magnitude / 127;
        int32_t low, high;
        quantize_values(values, scale, out->x, &low, &high);
        out->start[0] = -zero * (halves ? low : low + high);
        out->start[1] = halves ? -zero * high : 0;
        out->dx = heed_round_11_bits(step_size);
        out->sum = heed_round_11_bits(step_size * (float)(low + high));
    }
}

/* The six formats in the order of heed_qblock_traits_table. Each has a kernel for one row, one for
   rows times one panel and, if registers suffice, one for rows times two panels. */
#define FORMATS(TILES)                     \
    TILES(q4_0, 4, 8, HEED_SCALES_ONE)     \
    TILES(q4_1, 4, 0, HEED_SCALES_MINIMUM) \
    TILES(q5_0, 5, 16, HEED_SCALES_ONE)    \
    TILES(q8_0, 8, 128, HEED_SCALES_ONE)   \
    TILES(q4_k, 4, 0, HEED_SCALES_RUNS)    \
    TILES(q6_k, 6, 32, HEED_SCALES_HALVES)
#define TILES_1(name, bits, zero, scales)                    \
    static void one_##name(const heed_qgemm_tile *tile)      \
    {                                                        \
        one_row(tile, (format){bits, zero, scales});         \
    }                                                        \
    static void rows_##name##_1(const heed_qgemm_tile *tile) \
    {                                                        \
        many_rows(tile, (format){bits, zero, scales}, 1);    \
    }
#define TILES_2(name, bits, zero, scales)                    \
    TILES_1(name, bits, zero, scales)                        \
    static void rows_##name##_2(const heed_qgemm_tile *tile) \
    {                                                        \
        many_rows(tile, (format){bits, zero, scales}, 2);    \
    }
#define ENTRY_1(name, bits, zero, scales) {one_##name, rows_##name##_1, NULL},
#define ENTRY_2(name, bits, zero, scales) {one_##name, rows_##name##_1, rows_##name##_2},

#endif
