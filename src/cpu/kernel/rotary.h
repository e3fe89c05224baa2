/* rotary.h: rotary position embedding: the table of cosines and sines, and the rotation of pairs;
   op/rotary.c has the formulas. */
#ifndef HEED_CPU_KERNEL_ROTARY_H
#define HEED_CPU_KERNEL_ROTARY_H

#include "cpu/kernel/kernel.h"

/* cos and sin of `count` angles position * frequency, times factor.
   1. The angle is computed in double, and reduced by multiples of pi/2; that is exact for positions
      far beyond 2^20.
   2. The remainder, at most pi/4, goes through Taylor polynomials whose first missing terms are
      below 2e-9.
   3. The quarter turn decides which of sine and cosine is taken, and the signs.
   These are plain loops over short arrays, which compilers turn into vector code. */
static inline void turn(double position, const float *frequencies, int64_t count, float factor,
                        float *cosines, float *sines)
{
    const double half_pi_high = 0x1.921fb544p+0, half_pi_low = 0x1.0b4611a626331p-34,
                 rounder = 0x1.8p52;
    enum { RUN = 16 };
    float r[RUN], quarter[RUN];
    for (int64_t j = 0; j < count; j += RUN) {
        int64_t n = count - j < RUN ? count - j : RUN;
        for (int64_t i = 0; i < RUN; i++) {
            double angle = position * (i < n ? (double)frequencies[j + i] : 0),
                   turns = angle * 0x1.45f306dc9c883p-1 + rounder - rounder;
            r[i] = (float)((angle - turns * half_pi_high) - turns * half_pi_low);
            double fours = turns * 0.25 + rounder - rounder; /* turns modulo 4, from -2 to 2 */
            quarter[i] = (float)(turns - 4 * fours);
        }
        for (int64_t i = 0; i < n; i++) {
            float s = r[i] * r[i];
            float sine = r[i] +
                         r[i] * s *
                             (-0x1.555556p-3f +
                              s * (0x1.111112p-7f + s * (-0x1.a01a02p-13f + s * 0x1.71de3ap-19f)));
            float cosine = 1 - 0.5f * s +
                           s * s *
                               (0x1.555556p-5f +
                                s * (-0x1.6c16c2p-10f +
                                     s * (0x1.a01a02p-16f + s * -0x1.27e4fcp-22f)));
            bool odd = quarter[i] == 1 || quarter[i] == -1,
                 back = quarter[i] == 2 || quarter[i] == -2;
            float c = back ? -cosine : cosine;
            float t = back ? -sine : sine;
            c = odd ? -quarter[i] * sine : c;
            t = odd ? quarter[i] * cosine : t;
            cosines[j + i] = c * factor;
            sines[j + i] = t * factor;
        }
    }
}

/* The rows of the table: cosines, then sines. */
static inline void rotary_table_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    const heed_operand *frequencies = &args->in[1], *y = &args->out[0];
    float factor = ((const heed_rotary_table_attributes *)args->attributes)->factor;
    bool by_row = frequencies->shape.rank == 2;
    int64_t begin, end, half = y->shape.dim[1] / 2;
    rows_of_part(args, call, &begin, &end);
    for (int64_t i = begin; i < end; i++) {
        double position = integer_at(&args->in[0], i);
        float *to = float_row(y, i);
        if (by_row || frequencies->row_stride == 1)
            turn(position, float_row(frequencies, by_row ? i : 0), half, factor, to, to + half);
        else
            for (int64_t j = 0; j < half; j++)
                turn(position, float_row(frequencies, j), 1, factor, to + j, to + half + j);
    }
}

static inline bool rotary_table_fits(const heed_kernel_args *args)
{
    return is_f32_rows(&args->in[1]);
}

/* Rotates the pairs (i, i + half) of one head. */
static inline void rotate_halves(const float *x, const float *cosine, const float *sine, float sign,
                                 int64_t half, float *y)
{
    const heed_v direction = heed_v_set(sign);
    for (int64_t j = 0; j < half; j += HEED_LANES) {
        int64_t left = half - j;
        heed_v a = load_some(x + j, left), b = load_some(x + half + j, left),
               c = load_some(cosine + j, left);
        heed_v s = heed_v_mul(direction, load_some(sine + j, left));
        store_some(y + j, heed_v_sub(heed_v_mul(a, c), heed_v_mul(b, s)), left);
        store_some(y + half + j, heed_v_add(heed_v_mul(b, c), heed_v_mul(a, s)), left);
    }
}

/* Rotates the pairs (2i, 2i + 1) of one head. */
static inline void rotate_neighbors(const float *x, const float *cosine, const float *sine,
                                    float sign, int64_t half, float *y)
{
    for (int64_t j = 0; j < half; j++) {
        float a = x[2 * j], b = x[2 * j + 1], s = sign * sine[j];
        y[2 * j] = a * cosine[j] - b * s;
        y[2 * j + 1] = b * cosine[j] + a * s;
    }
}

/* `consumes_tiles`: tiles need whole heads. */
static inline int64_t rotary_tile_columns(const heed_kernel_args *args)
{
    return args->in[0].shape.dim[1] / ((const heed_rotary_attributes *)args->attributes)->heads;
}

/* Rotates each head of the rows; channels after those of the table stay as they are. */
static inline void rotary_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    const heed_rotary_attributes *a = args->attributes;
    const heed_operand *x = &args->in[0], *table = &args->in[1], *y = &args->out[0];
    int64_t begin, end, first, last, half = table->shape.dim[1] / 2,
                                     width = rotary_tile_columns(args);
    float sign = a->inverse ? -1.0f : 1.0f;
    rows_of_part(args, call, &begin, &end);
    columns_of_tile(call, x->shape.dim[1], &first, &last);
    for (int64_t i = begin; i < end; i++) {
        const float *turn_by = float_row(table, i);
        for (int64_t at = first; at < last; at += width) {
            const float *from = float_row(x, i) + at;
            float *to = float_row(y, i) + at;
            (a->interleaved ? rotate_neighbors : rotate_halves)(from, turn_by, turn_by + half, sign,
                                                                half, to);
            for (int64_t j = 2 * half; j < width; j++) to[j] = from[j];
        }
    }
}

HEED_KERNEL(rotary_table) = {
    .name = "k_rotary_table",
    .op = HEED_OP_ROTARY_TABLE,
    .fits = rotary_table_fits,
    .run = rotary_table_run,
};
HEED_KERNEL(rotary) = {.name = "k_rotary_f32",
                       .op = HEED_OP_ROTARY,
                       .fits = all_f32_rows,
                       .consumes_tiles = rotary_tile_columns,
                       .run = rotary_run};

#endif
