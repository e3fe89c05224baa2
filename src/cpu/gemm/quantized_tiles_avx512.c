/* Quantized matmuls on AVX-512 without VNNI: products are added in pairs in 16 bits, as on AVX2. */
#if defined(__x86_64__)
#include "cpu/gemm/quantized_bytes_avx512.h"

static inline heed_vi add_pairs(heed_vi sum, __m512i pairs)
{
    return _mm512_add_epi32(sum, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
}
static inline heed_vi dot(heed_vi sum, heed_bytes q, heed_splat x)
{
    return add_pairs(sum, _mm512_maddubs_epi16(q, x));
}
static inline heed_vi dot_byte(heed_vi sum, heed_bytes q, heed_splat x)
{
    __m512i w = _mm512_xor_si512(q, _mm512_set1_epi8((char)128));
    __m512i signed_x = _mm512_mask_sub_epi8(x, _mm512_movepi8_mask(w), _mm512_setzero_si512(), x);
    return add_pairs(sum, _mm512_maddubs_epi16(_mm512_abs_epi8(w), signed_x));
}

#define DOTS_ANY_BYTE 0
#include "cpu/gemm/quantized_tiles.h"

FORMATS(TILES_2)
const heed_qgemm_kernels heed_qgemm_kernels_avx512 = {
    .lanes = HEED_LANES,
    HEED_QGEMM_PARTS,
    .tile = {FORMATS(ENTRY_2)},
    .quantize = quantize_runs,
};

#endif
