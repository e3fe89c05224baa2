/* vector_avx512.h: a vector of 16 floats on AVX-512; the names of vector.h. Include vector.h, not
   this. */
#ifndef HEED_CPU_VECTOR_AVX512_H
#define HEED_CPU_VECTOR_AVX512_H

#include <immintrin.h>
#include <stdint.h>

typedef __m512 heed_v;
typedef __m512i heed_vi;
typedef __mmask16 heed_vm;
enum { HEED_LANES = 16 };

/* clang-format off */
static inline heed_v heed_v_zero(void) { return _mm512_setzero_ps(); }
static inline heed_v heed_v_set(float x) { return _mm512_set1_ps(x); }
static inline heed_v heed_v_load(const float *p) { return _mm512_loadu_ps(p); }
static inline void heed_v_store(float *p, heed_v x) { _mm512_storeu_ps(p, x); }
/* clang-format on */

static inline __mmask16 heed_v_first(int64_t count)
{
    if (count >= 16) return (__mmask16)0xFFFF;
    return count <= 0 ? (__mmask16)0 : (__mmask16)((1u << count) - 1);
}
/* clang-format off */
static inline heed_v heed_v_load_part(const float *p, int64_t count)
{
    return _mm512_maskz_loadu_ps(heed_v_first(count), p);
}
static inline void heed_v_store_part(float *p, heed_v x, int64_t count)
{
    _mm512_mask_storeu_ps(p, heed_v_first(count), x);
}

static inline heed_v heed_v_load_f16(const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}
/* clang-format on */
static inline heed_v heed_v_load_f16_part(const uint16_t *p, int64_t count)
{
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(heed_v_first(count), p));
}
static inline heed_v heed_v_widen_bf16(__m256i x)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
}
/* clang-format off */
static inline heed_v heed_v_load_bf16(const uint16_t *p)
{
    return heed_v_widen_bf16(_mm256_loadu_si256((const __m256i *)p));
}
/* clang-format on */
static inline heed_v heed_v_load_bf16_part(const uint16_t *p, int64_t count)
{
    return heed_v_widen_bf16(_mm256_maskz_loadu_epi16(heed_v_first(count), p));
}

/* clang-format off */
static inline heed_v heed_v_add(heed_v a, heed_v b) { return _mm512_add_ps(a, b); }
static inline heed_v heed_v_sub(heed_v a, heed_v b) { return _mm512_sub_ps(a, b); }
static inline heed_v heed_v_mul(heed_v a, heed_v b) { return _mm512_mul_ps(a, b); }
static inline heed_v heed_v_div(heed_v a, heed_v b) { return _mm512_div_ps(a, b); }
static inline heed_v heed_v_fma(heed_v a, heed_v b, heed_v c) { return _mm512_fmadd_ps(a, b, c); }
static inline heed_v heed_v_sqrt(heed_v a) { return _mm512_sqrt_ps(a); }
static inline heed_v heed_v_min(heed_v a, heed_v b) { return _mm512_min_ps(a, b); }
static inline heed_v heed_v_max(heed_v a, heed_v b) { return _mm512_max_ps(a, b); }

static inline heed_vm heed_v_less(heed_v a, heed_v b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ);
}
static inline heed_v heed_v_select(heed_vm m, heed_v a, heed_v b)
{
    return _mm512_mask_blend_ps(m, b, a);
}

static inline heed_vi heed_v_bits(heed_v x) { return _mm512_castps_si512(x); }
static inline heed_v heed_v_from_bits(heed_vi x) { return _mm512_castsi512_ps(x); }
static inline heed_vi heed_vi_set(int32_t x) { return _mm512_set1_epi32(x); }
static inline heed_vi heed_vi_add(heed_vi a, heed_vi b) { return _mm512_add_epi32(a, b); }
static inline heed_vi heed_vi_sub(heed_vi a, heed_vi b) { return _mm512_sub_epi32(a, b); }
static inline heed_vi heed_vi_and(heed_vi a, heed_vi b) { return _mm512_and_epi32(a, b); }
static inline heed_vi heed_vi_or(heed_vi a, heed_vi b) { return _mm512_or_epi32(a, b); }
static inline heed_vi heed_vi_left_16(heed_vi a) { return _mm512_slli_epi32(a, 16); }
static inline heed_vi heed_vi_left_23(heed_vi a) { return _mm512_slli_epi32(a, 23); }
static inline heed_vi heed_vi_right_23(heed_vi a) { return _mm512_srai_epi32(a, 23); }
static inline heed_vi heed_vi_right_16(heed_vi a) { return _mm512_srai_epi32(a, 16); }
static inline heed_v heed_vi_to_float(heed_vi a) { return _mm512_cvtepi32_ps(a); }

static inline heed_v heed_v_scale(heed_v x, heed_v n) { return _mm512_scalef_ps(x, n); }
/* clang-format on */

static inline float heed_v_sum(heed_v x)
{
    __m256 a = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(b, _mm_movehdup_ps(b)));
}
static inline float heed_v_hmax(heed_v x)
{
    __m256 a = _mm256_max_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    __m128 b = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_max_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_max_ss(b, _mm_movehdup_ps(b)));
}

#endif
