/* qblock_internal.h: the decoders and encoders of quantized formats and what they share. In each
   format a qblock of numbers shares its scales. Each format has a file of its own that lists the
   bytes of a qblock. All numbers are little-endian, and scales are f16 unless the file says
   otherwise. Source: the GGUF specification and the block types of ggml (block_q4_0, block_q4_K and
   so on). dtypes.def lists the formats. */
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

/* The 16 levels of IQ4_NL and IQ4_XS, in ascending order. */
extern const int8_t heed_iq4_levels[16];

/* Reads the 6-bit scale and the 6-bit minimum of run `i` (0 to 7) from the 12 packed bytes of Q4_K
   and Q5_K. Bits 0 to 5 and 6 to 7 of a byte, or its two nibbles, hold:

     bytes 0-3    scale of run b (bits 0-5), high two bits of the scale of run b + 4 (bits 6-7)
     bytes 4-7    minimum of run b - 4 (bits 0-5), high two bits of the minimum of run b (bits 6-7)
     bytes 8-11   low four bits of the scale (low nibble) and minimum (high nibble) of run b - 4 */
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

/* Returns the number that two bytes of f16 stand for. */
static inline float heed_get_f16(const uint8_t *bytes)
{
    return heed_f16_to_f32((uint16_t)(bytes[0] | bytes[1] << 8));
}

/* Stores a scale as f16, clamped to the finite range of f16. Returns the stored number. */
static inline float heed_put_f16(uint8_t *bytes, float value)
{
    if (value > 65504) value = 65504;
    if (value < -65504) value = -65504;
    uint16_t bits = heed_f32_to_f16(value);
    bytes[0] = (uint8_t)bits;
    bytes[1] = (uint8_t)(bits >> 8);
    return heed_f16_to_f32(bits);
}

/* Returns the nearest integer in [low, high], ties to even. NaN becomes low. */
static inline int heed_round_between(float value, int low, int high)
{
    if (!(value > (float)low)) return low;
    return value >= (float)high ? high : (int)rintf(value);
}

/* Returns 1 / value, or 0 if value is 0. */
static inline float heed_reciprocal(float value)
{
    return value != 0 ? 1 / value : 0;
}

/* ---- qblock_fit.c: scales with the least squared error ---- */

/* Returns a scale for x ~ scale * q with integers q in [low, high], where low < 0 < high <= -low.
   Candidates are scales around the ones that map the largest number to low or to high; each is
   improved once by least squares, and the one with the least squared error is returned. The result
   is 0 for a run of zeros. */
float heed_fit_scale(const float *values, int count, int low, int high);
/* Finds a scale and a minimum for x ~ scale * q - minimum with integers q in [0, high] and minimum
   >= 0, by the same search. */
void heed_fit_scale_minimum(const float *values, int count, int high, float *scale, float *minimum);
/* Quantizes 256 numbers for Q4_K and Q5_K. Writes scales and minima of eight runs of 32 into the
   first 16 bytes of `block`, and 256 integers in [0, high] to `integers`. */
void heed_k_encode_eight(const float *values, int high, uint8_t *block, uint8_t *integers);

#endif
