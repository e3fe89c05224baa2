/* block_bytes_avx512.h: bytes in 512 bits, for the kernels over blocks with and without VNNI. */
#ifndef HEED_CPU_GEMM_BLOCK_BYTES_AVX512_H
#define HEED_CPU_GEMM_BLOCK_BYTES_AVX512_H

#include "cpu/vector.h"

typedef __m512i heed_bytes;

static inline heed_bytes bytes_load(const uint8_t *p) { return _mm512_loadu_si512(p); }
static inline heed_bytes bytes_low(heed_bytes v) { return _mm512_and_si512(v, _mm512_set1_epi8(15)); }
static inline heed_bytes bytes_high(heed_bytes v) { return _mm512_and_si512(_mm512_srli_epi16(v, 4), _mm512_set1_epi8(15)); }
static inline heed_bytes bytes_shift(heed_bytes v, int n, int mask)
{
    return _mm512_and_si512(n < 0 ? _mm512_srli_epi16(v, (unsigned)-n) : _mm512_slli_epi16(v, (unsigned)n), _mm512_set1_epi8((char)mask));
}
static inline heed_bytes bytes_or(heed_bytes a, heed_bytes b) { return _mm512_or_si512(a, b); }
static inline heed_vi widen(const uint8_t *p) { return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p)); }
static inline heed_vi widen_signed(const uint8_t *p) { return _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p)); }
static inline heed_vi times(heed_vi a, heed_vi b) { return _mm512_mullo_epi32(a, b); }

#endif
