/* dtype.h: the table of element types and the conversions between them. A conversion to a narrower
   floating type rounds to nearest even. */
#ifndef HEED_TENSOR_DTYPE_H
#define HEED_TENSOR_DTYPE_H

#include <heed/dtype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Describes one element type. A plain type has qblocks of one element and neither decode nor
   encode. A quantized type is read and written in whole qblocks:
   - decode writes `qblock` floats, which are exactly the numbers that the bytes stand for.
   - encode rounds `qblock` floats to numbers that the format has. It is NULL if heed only reads the
   format. */
typedef struct heed_dtype_info {
    const char *name, *safetensors; /* safetensors: NULL if that format lacks the type */
    int32_t gguf;                   /* its ggml_type number in GGUF, -1 if it has none */
    size_t qblock, bytes;           /* elements and bytes of one qblock */
    uint8_t scale_at, scales;       /* byte offset and number of the f16 scales in a qblock */
    void (*decode)(const void *block, float *values);
    void (*encode)(const float *values, void *block);
} heed_dtype_info;
extern const heed_dtype_info heed_dtypes[HEED_DTYPE_COUNT];
enum { HEED_MAX_QBLOCK = 256 }; /* elements of the longest qblock */

/* Returns whether the KV cache can store keys and values in this type. HEED_I8 is stored as
   tensor/scaled_rows.h says. */
static inline bool heed_dtype_keeps_keys(heed_dtype dtype)
{
    return dtype == HEED_F32 || dtype == HEED_F16 || dtype == HEED_BF16 || dtype == HEED_I8;
}

/* Returns whether several elements of this type share their scales. */
static inline bool heed_dtype_is_quantized(heed_dtype dtype)
{
    return heed_dtypes[dtype].qblock > 1;
}

/* Returns the bytes of `count` elements, rounded up to whole qblocks. The caller has checked that
   the result does not wrap. */
static inline size_t heed_dtype_bytes(heed_dtype dtype, size_t count)
{
    return (count + heed_dtypes[dtype].qblock - 1) / heed_dtypes[dtype].qblock *
           heed_dtypes[dtype].bytes;
}

/* Returns the bytes of one element including its share of the scales, such as 0.5625 for q4_0. */
static inline double heed_dtype_width(heed_dtype dtype)
{
    return (double)heed_dtypes[dtype].bytes / (double)heed_dtypes[dtype].qblock;
}

/* Returns the type in which rows of `columns` numbers are stored when `dtype` was asked for. This
   is `dtype` itself if its qblocks fill such rows. Otherwise it is a type of similar width with
   smaller qblocks, or f16 if none fits. */
heed_dtype heed_dtype_fit(heed_dtype dtype, int64_t columns);

/* Finds the type with this ggml_type number. Returns false if heed reads no such type. */
bool heed_dtype_by_gguf(uint32_t number, heed_dtype *dtype);

/* Finds the type called `name`: heed's own name or one of PyTorch ("bf16", "BF16", "bfloat16",
   "float32", "torch.float16"). Case does not matter. Returns false if the name is unknown. */
bool heed_dtype_by_name(const char *name, heed_dtype *dtype);

/* Returns the f32 number that these bf16 bits stand for, which is exact. */
static inline float heed_bf16_to_f32(uint16_t bits)
{
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, 4);
    return value;
}

/* Rounds to nearest even. NaN stays NaN. */
static inline uint16_t heed_f32_to_bf16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, 4);
    if ((bits & 0x7FFFFFFF) > 0x7F800000) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

/* Rounds an operand of a bf16 matmul: to nearest even, with subnormal numbers flushed to zero. The
   processors' bf16 instructions do the same. */
static inline float heed_round_operand(float value)
{
    return value < 0x1p-126f && value > -0x1p-126f ? value * 0
                                                   : heed_bf16_to_f32(heed_f32_to_bf16(value));
}

/* Returns the f32 number that these f16 bits stand for, which is exact. */
float heed_f16_to_f32(uint16_t bits);
uint16_t heed_f32_to_f16(float value); /* rounds to nearest even, overflows to infinity */

/* Returns the f16 bits that the KV cache stores. A number beyond the range of f16 becomes NaN
   instead of infinity, because an infinite key could silently hide a position, while a NaN shows in
   every result that depends on it. */
static inline uint16_t heed_f32_to_kept_f16(float value)
{
    uint16_t bits = heed_f32_to_f16(value);
    return (bits & 0x7FFF) == 0x7C00 ? bits | 0x200 : bits;
}

/* Converts `count` elements between any two types.
   - Floating to integer truncates toward zero and saturates. NaN becomes 0.
   - `source` and `target` need no alignment.
   - Data of a quantized type begins at the start of a qblock. If `count` ends inside a qblock, the
   source has the whole qblock, and the target's last qblock is filled up with zeros.
   - The target type must have encode if it is quantized. */
void heed_convert(void *target, heed_dtype target_dtype, const void *source,
                  heed_dtype source_dtype, size_t count);

/* Returns the index of the first of `count` numbers that is too large for `dtype`, or `count` if
   all of them fit. In f16 and bf16 a finite number is too large if it would become infinite. In a
   quantized type it is too large if a scale of its qblock would exceed f16, so that heed_convert
   would clamp it; the index is then that of the qblock's largest number. Other types have no such
   limit. If the type is quantized, `values` begins at the start of a qblock and may end inside
   one. */
size_t heed_dtype_overflow(heed_dtype dtype, const float *values, size_t count);
/* Returns whether a conversion from `source` to `target` can meet a number that is too large. */
bool heed_dtype_may_overflow(heed_dtype target, heed_dtype source);

#endif
