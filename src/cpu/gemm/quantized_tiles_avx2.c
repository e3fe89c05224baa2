/* Quantized matmuls on AVX2. vpmaddubsw multiplies unsigned by signed bytes and adds neighbors in
   16 bits, which hold 2 x 63 x 127 and 2 x 128 x 127; vpmaddwd then adds neighbors in 32 bits. */
#include "cpu/vector.h"
#include <string.h>

#if defined(__x86_64__)

typedef __m256i heed_bytes;

static inline heed_bytes bytes_load(const uint8_t *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}
static inline heed_bytes bytes_low(heed_bytes v)
{
    return _mm256_and_si256(v, _mm256_set1_epi8(15));
}
static inline heed_bytes bytes_high(heed_bytes v)
{
    return _mm256_and_si256(_mm256_srli_epi16(v, 4), _mm256_set1_epi8(15));
}
static inline heed_bytes bytes_shift(heed_bytes v, int n, int mask)
{
    return _mm256_and_si256(n < 0 ? _mm256_srli_epi16(v, -n) : _mm256_slli_epi16(v, n),
                            _mm256_set1_epi8((char)mask));
}
static inline heed_bytes bytes_or(heed_bytes a, heed_bytes b)
{
    return _mm256_or_si256(a, b);
}
static inline heed_vi add_pairs(heed_vi sum, __m256i pairs)
{
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
typedef __m256i heed_splat;
static inline heed_splat splat(const int8_t *p)
{
    int32_t x;
    memcpy(&x, p, sizeof x);
    return _mm256_set1_epi32(x);
}
static inline heed_vi dot(heed_vi sum, heed_bytes q, heed_splat x)
{
    return add_pairs(sum, _mm256_maddubs_epi16(q, x));
}
/* q - 128 is signed, and one factor has to be unsigned: its sign moves to x. */
static inline heed_vi dot_byte(heed_vi sum, heed_bytes q, heed_splat x)
{
    __m256i w = _mm256_xor_si256(q, _mm256_set1_epi8((char)128));
    return add_pairs(sum, _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w)));
}
static inline heed_vi widen(const uint8_t *p)
{
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
}
static inline heed_vi widen_signed(const uint8_t *p)
{
    return _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p));
}

#define HOLD(x) (void)(x)
#define DOTS_ANY_BYTE 0
#include "cpu/gemm/quantized_tiles.h"

FORMATS(TILES_1)
const heed_qgemm_kernels heed_qgemm_kernels_avx2 = {
    .lanes = HEED_LANES,
    HEED_QGEMM_PARTS,
    .tile = {FORMATS(ENTRY_1)},
    .quantize = quantize_runs,
};

#endif
