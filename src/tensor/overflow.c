/* overflow.c: finds numbers that are too large for an element type. */
#include "tensor/dtype.h"

#include <math.h>

/* No f16 scale overflows in a qblock whose magnitudes are at most this. A minimum stays below
   65504, and the scale of the format with the fewest levels, 4, is at most a third of the range. */
static const float safe_in_blocks = 32768;

/* Returns whether a finite number becomes infinite in a plain type. */
static bool plain_overflows(heed_dtype dtype, float value)
{
    float stored = value;
    if (dtype == HEED_F16) stored = heed_f16_to_f32(heed_f32_to_f16(value));
    if (dtype == HEED_BF16) stored = heed_bf16_to_f32(heed_f32_to_bf16(value));
    return isinf(stored) && !isinf(value);
}

/* Returns the index of the number with the largest magnitude. */
static size_t largest_of(const float *values, size_t count)
{
    size_t largest = 0;
    for (size_t i = 1; i < count; i++)
        if (fabsf(values[i]) > fabsf(values[largest])) largest = i;
    return largest;
}

/* Returns whether a scale of the qblock overflows. Encoding commutes with multiplication by a power
   of two as long as no scale exceeds f16. The qblock is therefore encoded twice, once divided by a
   power of two, and it fits if both results agree. `largest` is the largest magnitude. */
static bool block_overflows(const heed_dtype_info *type, const float *values, float largest)
{
    float scaled[HEED_MAX_QBLOCK];
    float expected[HEED_MAX_QBLOCK];
    float found[HEED_MAX_QBLOCK];
    unsigned char bytes[HEED_MAX_QBLOCK * sizeof(float)];
    int exponent;
    if (!(largest > safe_in_blocks) || isinf(largest)) return false;
    frexpf(largest, &exponent);
    /* The largest scaled number is between 64 and 128, so that no scale is subnormal. */
    exponent -= 7;
    for (size_t i = 0; i < type->qblock; i++) scaled[i] = ldexpf(values[i], -exponent);
    type->encode(scaled, bytes);
    type->decode(bytes, expected);
    type->encode(values, bytes);
    type->decode(bytes, found);
    for (size_t i = 0; i < type->qblock; i++) {
        float difference = fabsf(ldexpf(found[i], -exponent) - expected[i]);
        if (!(difference <= 0x1p-6f)) return true;
    }
    return false;
}

size_t heed_dtype_overflow(heed_dtype dtype, const float *values, size_t count)
{
    const heed_dtype_info *type = &heed_dtypes[dtype];
    float block[HEED_MAX_QBLOCK];
    if (type->qblock == 1) {
        size_t at = 0;
        while (at < count && !plain_overflows(dtype, values[at])) at++;
        return at;
    }
    for (size_t at = 0; at < count; at += type->qblock) {
        size_t part = count - at < type->qblock ? count - at : type->qblock;
        size_t largest = largest_of(values + at, part);
        if (!(fabsf(values[at + largest]) > safe_in_blocks)) continue;
        memset(block, 0, sizeof block);
        memcpy(block, values + at, part * sizeof *block);
        if (block_overflows(type, block, fabsf(block[largest]))) return at + largest;
    }
    return count;
}

bool heed_dtype_may_overflow(heed_dtype target, heed_dtype source)
{
    bool narrow = target == HEED_F16 || target == HEED_BF16 || heed_dtype_is_quantized(target);
    if (!narrow || target == source) return false;
    return source != HEED_F16;
}
