/* qblock_dot.h: matmuls over quantized weights, as they are defined. Activations are rounded to 8
   bits with one scale per run of 32; a weight's run of 32 is a vector of integers w, a scale d and
   perhaps a minimum m, so that

     acc = fma(d * dx, float(sum over the run of w x), acc)
     acc = fma(m, dx times the sum of x, acc)                if there is a minimum

   run after run, in f32, from 0. The integer sums are exact (below 2^24), hence any order of theirs
   gives the same bits; every kernel follows the two lines above. The f32 reference kernels of the
   matmuls call heed_qblock_dot; in double precision weights are decoded and activations stay as
   they are. Formats without traits are decoded to f32 and multiplied as f32 weights are. */
#ifndef HEED_TENSOR_QBLOCK_DOT_H
#define HEED_TENSOR_QBLOCK_DOT_H

#include "tensor/dtype.h"

enum { HEED_RUN = 32 };

/* A qblock taken apart; q are unsigned. */
typedef struct heed_qblock_parts {
    uint16_t d, m;                 /* f16: scale; minimum, or scale of the minima */
    uint8_t scale[16], minimum[8]; /* within the qblock, where the format has them */
    uint8_t q[HEED_MAX_QBLOCK];
} heed_qblock_parts;

typedef enum heed_qblock_scales {
    HEED_SCALES_ONE,     /* d */
    HEED_SCALES_MINIMUM, /* d and m */
    HEED_SCALES_RUNS,    /* of run r: d * scale[r], minimum -m * minimum[r] */
    HEED_SCALES_HALVES   /* of half h of a run r: d, and integers times signed scale[2r + h] */
} heed_qblock_scales;

/* A format that matmuls compute on. */
typedef struct heed_qblock_traits {
    heed_dtype dtype;
    uint8_t bits, zero; /* of q; w = q - zero */
    heed_qblock_scales scales;
    void (*split)(const void *block, heed_qblock_parts *parts);
} heed_qblock_traits;

enum { HEED_QBLOCK_TRAITS = 6 };
extern const heed_qblock_traits heed_qblock_traits_table[HEED_QBLOCK_TRAITS];
/* NULL for a format that is decoded instead, and for plain types. */
const heed_qblock_traits *heed_qblock_traits_of(heed_dtype dtype);

/* 32 weights as the definition above has them. */
typedef struct heed_qblock_run {
    int32_t w[HEED_RUN];
    float d, m;
} heed_qblock_run;
void heed_qblock_run_read(const heed_qblock_traits *traits, const heed_qblock_parts *parts, int run,
                          heed_qblock_run *out);

/* 32 activations: x rounded to nearest even in steps of the largest magnitude / 127; zeros when the
   largest is below 2^-100. The step, and the step times the sum of x, are kept to 11 bits, as the
   f16 of ggml's blocks of activations keeps them, so that results stay comparable with llama.cpp's;
   the range is that of f32. With infinities or NaN dx is NaN and x zero. */
typedef struct heed_q8_run {
    float d, sum; /* dx; dx * sum of x, both to 11 bits */
    /* what sums of q x over the first and the last 16 begin with, so that they end as sums of w x:
       -zero times the sum of x; both in the first, unless halves have scales of their own */
    int32_t start[2];
    int8_t x[HEED_RUN];
} heed_q8_run;
void heed_q8_run_make(const float *values, const heed_qblock_traits *traits, heed_q8_run *run);

/* The nearest number with 11 significant bits, ties to even. x finite and no f32 subnormal, or
   zero. */
static inline float heed_round_11_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, 4);
    bits = (bits + 0xFFF + (bits >> 13 & 1)) & ~(uint32_t)0x1FFF;
    memcpy(&x, &bits, 4);
    return x;
}

/* The sum of one element of a quantized matmul, from zero. Adds one qblock times as many
   activations. */
typedef struct heed_qblock_sum {
    float sum;
} heed_qblock_sum;
void heed_qblock_sum_add(heed_qblock_sum *acc, const heed_qblock_traits *traits, const void *block,
                         const float *x);
/* The matmul of one row of qblocks with one row of `count` floats, a multiple of 32 and of the
   qblock. */
float heed_qblock_dot(const heed_qblock_traits *traits, const void *row, const float *x,
                      int64_t count);

#endif
