/* qblock_internal.h: formats in which a qblock of numbers shares its scales. Each has a file of its
   own that says how a qblock lies in memory; all numbers are little-endian, scales are f16 unless
   said. Source of the layouts: the GGUF specification and the published tables of ggml's block
   types. dtypes.def lists them. */
#ifndef HEED_TENSOR_QBLOCK_INTERNAL_H
#define HEED_TENSOR_QBLOCK_INTERNAL_H

#include "tensor/dtype.h"
#include <math.h>

#define HEED_QBLOCK_FORMAT(name)                                 \
    void heed_##name##_decode(const void *block, float *values); \
    void heed_##name##_encode(const float *values, void *block)
HEED_QBLOCK_FORMAT(q4_0);
HEED_QBLOCK_FORMAT(q4_1);
HEED_QBLOCK_FORMAT(q5_0);
HEED_QBLOCK_FORMAT(q5_1);
HEED_QBLOCK_FORMAT(q8_0);
HEED_QBLOCK_FORMAT(q2_k);
HEED_QBLOCK_FORMAT(q3_k);
HEED_QBLOCK_FORMAT(q4_k);
HEED_QBLOCK_FORMAT(q5_k);
HEED_QBLOCK_FORMAT(q6_k);
HEED_QBLOCK_FORMAT(iq4_nl);
#undef HEED_QBLOCK_FORMAT
void heed_iq4_xs_decode(const void *block, float *values);
void heed_tq1_0_decode(const void *block, float *values);
void heed_tq2_0_decode(const void *block, float *values);
void heed_mxfp4_decode(const void *block, float *values);

/* The 16 levels of IQ4_NL and IQ4_XS, ascending. */
extern const int8_t heed_iq4_levels[16];

/* 6-bit scale and minimum of sub-block `i` (0..7) in the 12 bytes of Q4_K and Q5_K. Bytes 0-3:
   scales of 0-3, with the top two bits of scales 4-7 above them; bytes 4-7: minima likewise; bytes
   8-11: low four bits of scale (low nibble) and minimum (high) of 4-7. */
static inline void heed_k_scale_minimum(const uint8_t *packed, int i, uint8_t *scale,
                                        uint8_t *minimum)
{
    if (i < 4) {
        *scale = packed[i] & 63;
        *minimum = packed[i + 4] & 63;
    } else {
        *scale = (uint8_t)((packed[i + 4] & 15) | packed[i - 4] >> 6 << 4);
        *minimum = (uint8_t)(packed[i + 4] >> 4 | packed[i] >> 6 << 4);
    }
}

static inline float heed_get_f16(const uint8_t *bytes)
{
    return heed_f16_to_f32((uint16_t)(bytes[0] | bytes[1] << 8));
}

/* Stores a scale; what is beyond f16 becomes its greatest number. Returns what was stored. */
static inline float heed_put_f16(uint8_t *bytes, float value)
{
    if (value > 65504) value = 65504;
    if (value < -65504) value = -65504;
    uint16_t bits = heed_f32_to_f16(value);
    bytes[0] = (uint8_t)bits;
    bytes[1] = (uint8_t)(bits >> 8);
    return heed_f16_to_f32(bits);
}

/* The nearest integer in [low, high]; NaN becomes low. */
static inline int heed_round_between(float value, int low, int high)
{
    if (!(value > (float)low)) return low;
    return value >= (float)high ? high : (int)rintf(value);
}

static inline float heed_reciprocal(float value)
{
    return value != 0 ? 1 / value : 0;
}

/* ---- qblock_fit.c: the scale of a run of numbers that loses least ---- */

/* x ~ scale * q with integers q in [low, high], low < 0 < high, |low| >= high: the scale with the
   least sum of squared errors among some around the one that just reaches the largest number, each
   improved by least squares. 0 for a run of zeros. */
float heed_fit_scale(const float *values, int count, int low, int high);
/* x ~ scale * q - minimum with integers q in [0, high] and minimum >= 0. */
void heed_fit_scale_minimum(const float *values, int count, int high, float *scale, float *minimum);
/* Q4_K and Q5_K: scales and minima of eight runs of 32 in the 16 bytes that both begin with, and
   the integers in [0, high]. */
void heed_k_encode_eight(const float *values, int high, uint8_t *block, uint8_t *integers);

#endif
