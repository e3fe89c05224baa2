/* qblock_dot.h: the definition of a quantized matmul, which every kernel follows bit by bit.
   Activations are rounded to 8 bits in runs of 32. With max, the largest magnitude of a run, and
   dx' = max / 127, a run of activations is:

     x   = rint(value * r), where r = 127 / max; ties to even
     dx  = dx' rounded to 11 significant bits
     sum = dx' times the sum of x, rounded to 11 significant bits

   A run of 32 weights is a vector of integers w, a scale d and, in some formats, a minimum m. The
   accumulator starts at 0 in f32, and each run of k adds to it in order:

     acc = fma(d * dx, float(sum over the run of w x), acc)
     acc = fma(m, sum, acc)                                  if the format has minima

   The integer sums are below 2^24 and therefore exact, so they may be added in any order. In
   formats with HEED_SCALES_HALVES w contains the signed scale of its half as a factor; kernels may
   sum each half without it and multiply in f32, which is exact too. The f32 reference kernels of
   the matmuls call heed_qblock_dot. In double precision the weights are decoded and the activations
   are not rounded. Formats without traits are decoded to f32 and multiplied as f32 weights. */
#ifndef HEED_TENSOR_QBLOCK_DOT_H
#define HEED_TENSOR_QBLOCK_DOT_H

#include "tensor/dtype.h"

enum { HEED_RUN = 32 };

/* The fields of one qblock, unpacked. The integers q are unsigned. */
typedef struct heed_qblock_parts {
    /* f16 bits: the scale; the minimum, or the scale of the minima */
    uint16_t d, m;
    uint8_t scale[16], minimum[8]; /* scales and minima of the runs, if the format has them */
    uint8_t q[HEED_MAX_QBLOCK];
} heed_qblock_parts;

/* Says how scales belong to the runs of a qblock. */
typedef enum heed_qblock_scales {
    HEED_SCALES_ONE,     /* one scale d per qblock */
    HEED_SCALES_MINIMUM, /* one scale d and one minimum m per qblock */
    HEED_SCALES_RUNS,    /* run r has the scale d * scale[r] and the minimum -m * minimum[r] */
    /* Half h of run r has its integers multiplied by the signed scale[2r + h]. The scale is d. */
    HEED_SCALES_HALVES
} heed_qblock_scales;

/* Describes a format on which matmuls compute without decoding it. */
typedef struct heed_qblock_traits {
    heed_dtype dtype;
    uint8_t bits, zero; /* bits of q; w = q - zero */
    heed_qblock_scales scales;
    /* Unpacks one qblock. */
    void (*split)(const void *block, heed_qblock_parts *parts);
} heed_qblock_traits;

enum { HEED_QBLOCK_TRAITS = 6 };
extern const heed_qblock_traits heed_qblock_traits_table[HEED_QBLOCK_TRAITS];
/* Returns the traits of a format. Returns NULL for plain types and for formats that are decoded
   instead. */
const heed_qblock_traits *heed_qblock_traits_of(heed_dtype dtype);

/* 32 weights of a run, as in the definition above: integers, scale and minimum. */
typedef struct heed_qblock_run {
    int32_t w[HEED_RUN];
    float d, m;
} heed_qblock_run;
/* Reads run `run` out of an unpacked qblock. */
void heed_qblock_run_read(const heed_qblock_traits *traits, const heed_qblock_parts *parts, int run,
                          heed_qblock_run *out);

/* 32 activations rounded to 8 bits, as in the definition above. If the largest magnitude is below
   2^-100, all fields are zero. If an activation is infinite or NaN, dx and sum are NaN and x is
   zero. dx and sum are rounded to 11 significant bits, because ggml stores them as f16 in
   block_q8_0 and block_q8_1; results then stay comparable with those of llama.cpp. Their range is
   that of f32. */
typedef struct heed_q8_run {
    float dx, sum; /* as in the definition */
    /* Kernels sum q x instead of w x and start from these corrections, -zero times the sum of x. In
       HEED_SCALES_HALVES formats start[h] is the correction of half h. In other formats start[0] is
       that of the whole run and start[1] is 0. */
    int32_t start[2];
    int8_t x[HEED_RUN];
} heed_q8_run;
/* Rounds 32 activations. */
void heed_q8_run_make(const float *values, const heed_qblock_traits *traits, heed_q8_run *run);

/* Returns the nearest number with 11 significant bits, ties to even. x is zero, or finite and not
   subnormal. */
static inline float heed_round_11_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, 4);
    bits = (bits + 0xFFF + (bits >> 13 & 1)) & ~(uint32_t)0x1FFF;
    memcpy(&x, &bits, 4);
    return x;
}

/* Accumulates one element of the output of a quantized matmul. It starts at zero, and
   heed_qblock_sum_add adds one qblock of weights times as many activations. */
typedef struct heed_qblock_sum {
    float sum;
} heed_qblock_sum;
void heed_qblock_sum_add(heed_qblock_sum *acc, const heed_qblock_traits *traits, const void *block,
                         const float *x);
/* Returns the dot product of one row of qblocks with `count` floats. `count` is a multiple of 32
   and of the qblock. */
float heed_qblock_dot(const heed_qblock_traits *traits, const void *row, const float *x,
                      int64_t count);

#endif
