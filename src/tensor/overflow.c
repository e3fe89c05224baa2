/* Which numbers an element type cannot hold because they are too large for it. */
#include "tensor/dtype.h"

#include <math.h>

/* f16 scales of qblocks whose numbers are all this small or smaller never overflow: the fewest
   levels are 4. */
static const float safe_in_blocks = 32768;

static bool plain_overflows(heed_dtype dtype, float value)
{
    float stored = value;
    if (dtype == HEED_F16) stored = heed_f16_to_f32(heed_f32_to_f16(value));
    if (dtype == HEED_BF16) stored = heed_bf16_to_f32(heed_f32_to_bf16(value));
    return isinf(stored) && !isinf(value);
}

/* The place of the number with the largest magnitude. */
static size_t largest_of(const float *values, size_t count)
{
    size_t largest = 0;
    for (size_t i = 1; i < count; i++)
        if (fabsf(values[i]) > fabsf(values[largest])) largest = i;
    return largest;
}

/* A qblock fits if it is what the same numbers divided by a power of two would become, times that
   power: encoding commutes with such a factor as long as no scale is beyond f16. `largest` is the
   largest magnitude. */
static bool block_overflows(const heed_dtype_info *type, const float *values, float largest)
{
    float scaled[HEED_MAX_QBLOCK];
    float expected[HEED_MAX_QBLOCK];
    float found[HEED_MAX_QBLOCK];
    unsigned char bytes[HEED_MAX_QBLOCK * sizeof(float)];
    int exponent;
    if (!(largest > safe_in_blocks) || isinf(largest)) return false;
    frexpf(largest, &exponent);
    exponent -= 7; /* the largest becomes 64 or more, so that no scale is denormal */
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
