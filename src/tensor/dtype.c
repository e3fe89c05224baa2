/* dtype.c: the table of element types, their names, and conversions between them. */
#include "tensor/dtype.h"

#include "tensor/qblock_internal.h"
#include <math.h>
#include <strings.h>

const heed_dtype_info heed_dtypes[HEED_DTYPE_COUNT] = {
#define HEED_DTYPE(symbol, name, safetensors, gguf, bytes) \
    [HEED_##symbol] = {name, safetensors, gguf, 1, bytes, 0, 0, NULL, NULL},
#define HEED_QBLOCK_DTYPE(symbol, name, gguf, block, bytes, scale_at, scales, decode, encode) \
    [HEED_##symbol] = {name, NULL, gguf, block, bytes, scale_at, scales, decode, encode},
#include "tensor/dtypes.def"
#undef HEED_DTYPE
#undef HEED_QBLOCK_DTYPE
};

heed_dtype heed_dtype_fit(heed_dtype dtype, int64_t columns)
{
    static const struct {
        heed_dtype from, to;
    } narrower[] = {
        {HEED_Q2_K, HEED_IQ4_NL}, {HEED_Q3_K, HEED_IQ4_NL}, {HEED_Q4_K, HEED_Q5_0},
        {HEED_Q5_K, HEED_Q5_1},   {HEED_Q6_K, HEED_Q8_0},
    };
    for (size_t i = 0; i < sizeof narrower / sizeof *narrower; i++)
        if (dtype == narrower[i].from && (size_t)columns % heed_dtypes[dtype].qblock)
            dtype = narrower[i].to;
    return (size_t)columns % heed_dtypes[dtype].qblock ? HEED_F16 : dtype;
}

bool heed_dtype_by_gguf(uint32_t number, heed_dtype *dtype)
{
    for (int i = 0; i < HEED_DTYPE_COUNT; i++)
        if (heed_dtypes[i].gguf >= 0 && (uint32_t)heed_dtypes[i].gguf == number) {
            *dtype = (heed_dtype)i;
            return true;
        }
    return false;
}

bool heed_dtype_by_name(const char *name, heed_dtype *dtype)
{
    static const struct {
        const char *alias;
        heed_dtype dtype;
    } aliases[] = {
        {"float32", HEED_F32}, {"float", HEED_F32}, {"float64", HEED_F64},   {"double", HEED_F64},
        {"float16", HEED_F16}, {"half", HEED_F16},  {"bfloat16", HEED_BF16}, {"int64", HEED_I64},
        {"int32", HEED_I32},   {"int16", HEED_I16}, {"int8", HEED_I8},       {"uint8", HEED_U8},
    };
    if (!strncmp(name, "torch.", 6)) name += 6;
    for (int i = 0; i < HEED_DTYPE_COUNT; i++)
        if (!strcasecmp(name, heed_dtypes[i].name)) {
            *dtype = (heed_dtype)i;
            return true;
        }
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (!strcasecmp(name, aliases[i].alias)) {
            *dtype = aliases[i].dtype;
            return true;
        }
    return false;
}

float heed_f16_to_f32(uint16_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x8000) << 16, exponent = bits >> 10 & 31,
             fraction = bits & 1023, wide;
    if (exponent == 31) wide = sign | 0x7F800000 | fraction << 13;
    else if (exponent) wide = sign | (exponent + 112) << 23 | fraction << 13;
    else {
        float value = (float)fraction * 0x1p-24f; /* a subnormal f16 number is exact in f32 */
        return sign ? -value : value;
    }
    float value;
    memcpy(&value, &wide, 4);
    return value;
}

/* Source: IEEE 754-2008, binary16. */
uint16_t heed_f32_to_f16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, 4);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    bits &= 0x7FFFFFFF;
    if (bits > 0x7F800000) return sign | 0x7E00;
    if (bits >= 0x477FF000) return sign | 0x7C00; /* 65520 and above round to infinity */
    /* Below 2^-14 the result is a multiple of 2^-24. That is the unit of the last place of an f32
       number between 0.5 and 1, so adding 0.5 rounds correctly. */
    if (bits < 0x38800000) {
        float magnitude;
        memcpy(&magnitude, &bits, 4);
        magnitude += 0.5f;
        memcpy(&bits, &magnitude, 4);
        return (uint16_t)(sign | (bits - 0x3F000000));
    }
    return (uint16_t)(sign | ((bits + 0xFFF + (bits >> 13 & 1) - 0x38000000) >> 13));
}

/* Returns one element of a plain type as a double. */
static double load(const unsigned char *source, heed_dtype dtype)
{
    switch (dtype) {
#define LOAD(type)                            \
    {                                         \
        type value;                           \
        memcpy(&value, source, sizeof value); \
        return (double)value;                 \
    }
    case HEED_F32: LOAD(float)
    case HEED_F64: LOAD(double)
    case HEED_I64: LOAD(int64_t)
    case HEED_I32: LOAD(int32_t)
    case HEED_I16: LOAD(int16_t)
    case HEED_I8: LOAD(int8_t)
#undef LOAD
    case HEED_U8: return *source;
    case HEED_BOOL: return *source != 0;
    case HEED_F16:
    case HEED_BF16: {
        uint16_t bits;
        memcpy(&bits, source, 2);
        return dtype == HEED_F16 ? heed_f16_to_f32(bits) : heed_bf16_to_f32(bits);
    }
    default: break;
    }
    return 0;
}

/* Truncates toward zero and clamps to [low, high]. NaN becomes 0. */
static int64_t saturate(double value, double low, double high)
{
    if (isnan(value)) return 0;
    if (value <= low) return (int64_t)low;
    return value >= high ? (int64_t)high : (int64_t)value;
}

/* Stores a number as one element of a plain type. */
static void store(unsigned char *target, heed_dtype dtype, double value)
{
    switch (dtype) {
#define STORE(type, number)                     \
    {                                           \
        type stored = (type)(number);           \
        memcpy(target, &stored, sizeof stored); \
        break;                                  \
    }
    case HEED_F32: STORE(float, value)
    case HEED_F64: STORE(double, value)
    case HEED_F16: STORE(uint16_t, heed_f32_to_f16((float)value))
    case HEED_BF16: STORE(uint16_t, heed_f32_to_bf16((float)value))
    case HEED_I64:
        STORE(int64_t,
              value >= 0x1p63 ? INT64_MAX : saturate(value, -0x1p63, 0x1p62 * 1.9999999999999998))
    case HEED_I32: STORE(int32_t, saturate(value, INT32_MIN, INT32_MAX))
    case HEED_I16: STORE(int16_t, saturate(value, INT16_MIN, INT16_MAX))
    case HEED_I8: STORE(int8_t, saturate(value, INT8_MIN, INT8_MAX))
    case HEED_U8: STORE(uint8_t, saturate(value, 0, UINT8_MAX))
    case HEED_BOOL: *target = value != 0; break;
#undef STORE
    default: break;
    }
}

/* Converts when at least one of the two types is quantized. The numbers pass through f32, at most
   256 at a time. */
static void convert_blocks(unsigned char *target, heed_dtype target_dtype,
                           const unsigned char *source, heed_dtype source_dtype, size_t count)
{
    const heed_dtype_info *to = &heed_dtypes[target_dtype], *from = &heed_dtypes[source_dtype];
    float values[HEED_MAX_QBLOCK];
    for (size_t at = 0, part; at < count; at += part) {
        part = count - at < HEED_MAX_QBLOCK ? count - at : HEED_MAX_QBLOCK;
        const unsigned char *s = source + at / from->qblock * from->bytes;
        unsigned char *t = target + at / to->qblock * to->bytes;
        memset(values, 0, sizeof values);
        if (!from->decode) heed_convert(values, HEED_F32, s, source_dtype, part);
        else
            for (size_t i = 0; i < part; i += from->qblock)
                from->decode(s + i / from->qblock * from->bytes, values + i);
        if (to->qblock == 1) heed_convert(t, target_dtype, values, HEED_F32, part);
        else
            for (size_t i = 0; to->encode && i < part; i += to->qblock) {
                for (size_t j = part; j < i + to->qblock; j++) values[j] = 0;
                to->encode(values + i, t + i / to->qblock * to->bytes);
            }
    }
}

void heed_convert(void *target, heed_dtype target_dtype, const void *source,
                  heed_dtype source_dtype, size_t count)
{
    size_t to = heed_dtypes[target_dtype].bytes, from = heed_dtypes[source_dtype].bytes;
    unsigned char *t = target;
    const unsigned char *s = source;
    if (target_dtype == source_dtype)
        memmove(target, source, heed_dtype_bytes(source_dtype, count));
    else if (heed_dtype_is_quantized(target_dtype) || heed_dtype_is_quantized(source_dtype))
        convert_blocks(target, target_dtype, source, source_dtype, count);
    else if (source_dtype == HEED_I64 && (target_dtype == HEED_I32 || target_dtype == HEED_I16)) {
        /* A large i64 is clamped as an integer, because a double is not exact above 2^53. */
        for (size_t i = 0; i < count; i++) {
            int64_t value;
            memcpy(&value, s + i * 8, 8);
            double within = (double)value;
            if (value > INT32_MAX) within = INT32_MAX;
            if (value < INT32_MIN) within = INT32_MIN;
            store(t + i * to, target_dtype, within);
        }
    } else if (source_dtype == HEED_BF16 && target_dtype == HEED_F32) {
        for (size_t i = 0; i < count; i++) {
            uint16_t bits;
            memcpy(&bits, s + i * 2, 2);
            float value = heed_bf16_to_f32(bits);
            memcpy(t + i * 4, &value, 4);
        }
    } else
        for (size_t i = 0; i < count; i++)
            store(t + i * to, target_dtype, load(s + i * from, source_dtype));
}
