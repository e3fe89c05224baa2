/* dtype.h: the table of element types and exact or round-to-nearest-even conversions between
   them. */
#ifndef HEED_TENSOR_DTYPE_H
#define HEED_TENSOR_DTYPE_H

#include <heed/dtype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* One element type. Plain types have qblocks of one element and neither decode nor encode. A qblock
   is read and made as a whole: decode writes `block` floats (exactly what the bits say), encode
   rounds them to the nearest that the format has (NULL: it is only read). */
typedef struct heed_dtype_info {
    const char *name, *safetensors; /* safetensors: NULL where that format has no such type */
    int32_t gguf;                   /* its number in GGUF, -1 where it has none */
    size_t qblock, bytes;           /* elements of a qblock, bytes of a qblock */
    uint8_t scale_at, scales;       /* where its f16 scales stand, and how many */
    void (*decode)(const void *block, float *values);
    void (*encode)(const float *values, void *block);
} heed_dtype_info;
extern const heed_dtype_info heed_dtypes[HEED_DTYPE_COUNT];
enum { HEED_MAX_QBLOCK = 256 }; /* elements of the longest qblock */

/* Types in which keys and values of earlier positions may be kept; i8 as tensor/scaled_rows.h
   says. */
static inline bool heed_dtype_keeps_keys(heed_dtype dtype)
{
    return dtype == HEED_F32 || dtype == HEED_F16 || dtype == HEED_BF16 || dtype == HEED_I8;
}

static inline bool heed_dtype_is_quantized(heed_dtype dtype)
{
    return heed_dtypes[dtype].qblock > 1;
}

/* Bytes of `count` elements, whole qblocks; exact for multiples of the qblock. The caller has
   checked that it does not wrap. */
static inline size_t heed_dtype_bytes(heed_dtype dtype, size_t count)
{
    return (count + heed_dtypes[dtype].qblock - 1) / heed_dtypes[dtype].qblock *
           heed_dtypes[dtype].bytes;
}

/* Bytes of one element, scales included: 0.5625 for q4_0. */
static inline double heed_dtype_width(heed_dtype dtype)
{
    return (double)heed_dtypes[dtype].bytes / (double)heed_dtypes[dtype].qblock;
}

/* `dtype`, or for rows of `columns` numbers that are no multiple of its qblock a type of about the
   same width whose rows they fill. */
heed_dtype heed_dtype_fit(heed_dtype dtype, int64_t columns);

/* The type with this number in GGUF; false when no type that is read has it. */
bool heed_dtype_by_gguf(uint32_t number, heed_dtype *dtype);

/* The type called `name` ("bf16", "BF16", "bfloat16", "float32", "torch.float16" ...); false when
   unknown. */
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

/* An operand of a matmul whose operands are rounded to bf16: to nearest even, subnormal numbers to
   zeros, as processors with such matmuls do. */
static inline float heed_round_operand(float value)
{
    return value < 0x1p-126f && value > -0x1p-126f ? value * 0
                                                   : heed_bf16_to_f32(heed_f32_to_bf16(value));
}

float heed_f16_to_f32(uint16_t bits);
uint16_t heed_f32_to_f16(float value); /* round to nearest even, overflow to infinity */

/* As a cache keeps it: what is beyond f16 becomes NaN, so that whatever is computed from it shows;
   an infinite key could hide a position and say nothing. */
static inline uint16_t heed_f32_to_kept_f16(float value)
{
    uint16_t bits = heed_f32_to_f16(value);
    return (bits & 0x7FFF) == 0x7C00 ? bits | 0x200 : bits;
}

/* Converts `count` elements between any two types. Floating to integer truncates toward zero and
   saturates; NaN becomes 0. Source and target need no alignment. If a type is quantized, its data
   begins with a qblock; a part of a qblock at the end is read from a whole qblock, and written as
   one that is filled up with zeros. A target must have encode. */
void heed_convert(void *target, heed_dtype target_dtype, const void *source,
                  heed_dtype source_dtype, size_t count);

/* The first of `count` numbers that are too large for `dtype`: a finite one that would become
   infinite, or the largest of a qblock whose scales are beyond f16, which heed_convert would cut
   off. `count` if all fit. Only f16, bf16 and the quantized types that can be written have such
   limits. If the type is quantized, `values` begins with a qblock and may end inside one. */
size_t heed_dtype_overflow(heed_dtype dtype, const float *values, size_t count);
/* Can a conversion from `source` to `target` meet such a number at all? */
bool heed_dtype_may_overflow(heed_dtype target, heed_dtype source);

#endif
