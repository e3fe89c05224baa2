/* quantized_bytes_avx512.h: vectors of bytes in 512 bits, for the quantized kernels with and
   without VNNI. quantized_tiles.h says what each function does. */
#ifndef HEED_CPU_GEMM_QUANTIZED_BYTES_AVX512_H
#define HEED_CPU_GEMM_QUANTIZED_BYTES_AVX512_H

#include "cpu/vector.h"
#include <string.h>

typedef __m512i heed_bytes;

static inline heed_bytes bytes_load(const uint8_t *p)
{
    return _mm512_loadu_si512(p);
}
static inline heed_bytes bytes_low(heed_bytes v)
{
    return _mm512_and_si512(v, _mm512_set1_epi8(15));
}
static inline heed_bytes bytes_high(heed_bytes v)
{
    return _mm512_and_si512(_mm512_srli_epi16(v, 4), _mm512_set1_epi8(15));
}
static inline heed_bytes bytes_shift(heed_bytes v, int n, int mask)
{
    return _mm512_and_si512(n < 0 ? _mm512_srli_epi16(v, (unsigned)-n)
                                  : _mm512_slli_epi16(v, (unsigned)n),
                            _mm512_set1_epi8((char)mask));
}
static inline heed_bytes bytes_or(heed_bytes a, heed_bytes b)
{
    return _mm512_or_si512(a, b);
}
static inline heed_vi widen(const uint8_t *p)
{
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p));
}
static inline heed_vi widen_signed(const uint8_t *p)
{
    return _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p));
}

typedef __m512i heed_splat;
static inline heed_splat splat(const int8_t *p)
{
    int32_t x;
    memcpy(&x, p, sizeof x);
    return _mm512_set1_epi32(x);
}
/* Without this, compilers load the splat again for every panel. */
#define HOLD(x) __asm__("" : "+v"(x))

#define HAS_QUANTIZE_VALUES
static inline uint32_t max_bits(const float *values)
{
    const __m512i magnitude = _mm512_set1_epi32(0x7FFFFFFF);
    __m512i a = _mm512_and_si512(_mm512_loadu_si512(values), magnitude),
            b = _mm512_and_si512(_mm512_loadu_si512(values + 16), magnitude);
    return (uint32_t)_mm512_reduce_max_epi32(_mm512_max_epi32(a, b));
}
static inline void quantize_values(const float *values, float scale, int8_t *x, int32_t *low,
                                   int32_t *high)
{
    const __m512 by = _mm512_set1_ps(scale);
    __m512i a = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(values), by)),
            b = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(values + 16), by));
    _mm_storeu_si128((__m128i *)x, _mm512_cvtepi32_epi8(a));
    _mm_storeu_si128((__m128i *)(x + 16), _mm512_cvtepi32_epi8(b));
    *low = _mm512_reduce_add_epi32(a);
    *high = _mm512_reduce_add_epi32(b);
}

#endif
