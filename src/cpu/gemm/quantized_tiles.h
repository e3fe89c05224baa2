/* quantized_tiles.h: the bodies of the quantized kernels, in terms of cpu/vector.h and of what a
   file defines before it includes this:
     heed_bytes                 a vector of HEED_LANES times four bytes
     bytes_load(p)              unaligned
     bytes_low(v) bytes_high(v) the nibbles
     bytes_shift(v, n, mask)    each byte's bits moved up by n (down by -n), those of the mask kept
     bytes_or(a, b)
     heed_splat splat(p)        four signed bytes for every lane; HOLD(x) keeps one in a register
     dot(sum, q, x)             sum (heed_vi) + the four products of each lane's bytes q, at most
                                63, and a splat x
     DOTS_ANY_BYTE              1: dot takes any bytes q, and dot_byte is not used
     dot_byte(sum, q, x)        the same for q - 128, q any byte
     widen(p) widen_signed(p)   HEED_LANES bytes as heed_vi
     HAS_QUANTIZE_VALUES        defined: quantize_values and max_bits are there too */
#ifndef HEED_CPU_GEMM_QUANTIZED_TILES_H
#define HEED_CPU_GEMM_QUANTIZED_TILES_H

#include "cpu/gemm/quantized.h"
#include "cpu/unroll.h"
#include "cpu/vector.h"
#include <string.h>

/* The eight groups of a run. */
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

/* How one format is multiplied; constants, once inlined. */
typedef struct {
    int bits, zero;
    heed_qblock_scales scales;
} format;

HEED_INLINE bool has_minimum(const format f)
{
    return f.scales == HEED_SCALES_MINIMUM || f.scales == HEED_SCALES_RUNS;
}
HEED_INLINE bool is_long(const format f)
{
    return f.scales == HEED_SCALES_RUNS || f.scales == HEED_SCALES_HALVES;
}
/* Bytes of a qblock of a panel before its runs, and of a run. */
HEED_INLINE ptrdiff_t head_bytes(const format f)
{
    return (has_minimum(f) ? 4 : 2) * HEED_LANES;
}
HEED_INLINE ptrdiff_t bytes_of_run(const format f)
{
    return HEED_LANES * (f.bits * HEED_RUN / 8 + (is_long(f) ? 2 : 0));
}

/* A run of one panel, unpacked. */
typedef struct {
    heed_bytes q[8];
    heed_v d, m, halves[2];
} panel_run;

HEED_INLINE void load_scales(const uint8_t *block, const format f, panel_run *w)
{
    uint16_t scale[2][HEED_LANES];
    memcpy(scale, block, (size_t)head_bytes(f));
    w->d = heed_v_load_f16(scale[0]);
    w->m = has_minimum(f) ? heed_v_load_f16(scale[1]) : heed_v_zero();
}

/* w holds the scales of the qblock. */
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

HEED_INLINE heed_vi start_of(const heed_q8_run *a, int half, const format f)
{
    return heed_vi_set(f.zero == 0 || (f.bits == 8 && !DOTS_ANY_BYTE) ? 0 : a->start[half]);
}

HEED_INLINE heed_vi add_group(heed_vi sum, heed_bytes q, heed_splat x, const format f)
{
    return f.bits == 8 && !DOTS_ANY_BYTE ? dot_byte(sum, q, x) : dot(sum, q, x);
}

/* The two lines of tensor/qblock_dot.h; with halves, sums times their scales stay below 2^24 and
   are exact in f32. */
HEED_INLINE heed_v add_run(heed_v acc, heed_vi low, heed_vi high, const panel_run *w,
                           const heed_q8_run *a, const format f)
{
    heed_v sum = f.scales == HEED_SCALES_HALVES
                     ? heed_v_fma(heed_vi_to_float(high), w->halves[1],
                                  heed_v_mul(heed_vi_to_float(low), w->halves[0]))
                     : heed_vi_to_float(low);
    acc = heed_v_fma(heed_v_mul(w->d, heed_v_set(a->d)), sum, acc);
    return has_minimum(f) ? heed_v_fma(w->m, heed_v_set(a->sum), acc) : acc;
}

/* One row and one panel: integer sums in two accumulators, the sum of the element in a register. */
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

/* One run of `wide` panels times every row: weights stay in registers, sums lie in tile->to, which
   the first-level cache holds. */
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
/* The run of heed_q8_run_make, in loops that compilers turn into vectors: rounds values times
   scale, and sums both halves. */
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

static void quantize_runs(const float *values, const heed_qblock_traits *traits, int64_t runs,
                          ptrdiff_t apart, heed_q8_run *out)
{
    const int zero = traits->zero;
    const bool halves = traits->scales == HEED_SCALES_HALVES;
    for (; runs > 0; runs--, values += HEED_RUN, out += apart) {
        const uint32_t max = max_bits(values);
        float magnitude;
        memcpy(&magnitude, &max, 4);
        if (max >= 0x7F800000 || magnitude < 0x1p-100f) { /* rare, and slower */
            heed_q8_run_make(values, traits, out);
            continue;
        }
        const float scale = 127 / magnitude, step_size = magnitude / 127;
        int32_t low, high;
        quantize_values(values, scale, out->x, &low, &high);
        out->start[0] = -zero * (halves ? low : low + high);
        out->start[1] = halves ? -zero * high : 0;
        out->d = heed_round_11_bits(step_size);
        out->sum = heed_round_11_bits(step_size * (float)(low + high));
    }
}

/* The six formats in the order of heed_qblock_traits_table: kernels of one row, of rows on one
   panel and, where registers suffice, on two. */
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
