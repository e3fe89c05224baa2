/* dtype.h: the table of element types and exact or round-to-nearest-even conversions between them. */
#ifndef HEED_TENSOR_DTYPE_H
#define HEED_TENSOR_DTYPE_H

#include <heed/dtype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct heed_dtype_info { const char *name, *safetensors; size_t bytes; } heed_dtype_info;
extern const heed_dtype_info heed_dtypes[HEED_DTYPE_COUNT];

/* The type called `name` ("bf16", "BF16", "bfloat16", "float32", "torch.float16" ...); false when unknown. */
bool heed_dtype_by_name(const char *name, heed_dtype *dtype);

static inline float heed_bf16_to_f32(uint16_t bits)
{
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, 4);
    return value;
}

/* Round to nearest even; NaN stays NaN. */
static inline uint16_t heed_f32_to_bf16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, 4);
    if ((bits & 0x7FFFFFFF) > 0x7F800000) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

float heed_f16_to_f32(uint16_t bits);
uint16_t heed_f32_to_f16(float value); /* round to nearest even, overflow to infinity */

/* Converts `count` elements between any two types. Floating to integer truncates towards zero and saturates; NaN becomes 0.
   Source and target need no alignment. */
void heed_convert(void *target, heed_dtype target_dtype, const void *source, heed_dtype source_dtype, size_t count);

#endif
