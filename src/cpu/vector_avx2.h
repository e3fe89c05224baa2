/* vector_avx2.h: a vector of 8 floats on AVX2 with FMA and F16C; the names of vector.h. Include
   vector.h, not this. */
#ifndef HEED_CPU_VECTOR_AVX2_H
#define HEED_CPU_VECTOR_AVX2_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

typedef __m256 heed_v;
typedef __m256i heed_vi;
typedef __m256 heed_vm; /* all bits of a lane set or clear */
enum { HEED_LANES = 8 };

/* clang-format off */
static inline heed_v heed_v_zero(void) { return _mm256_setzero_ps(); }
static inline heed_v heed_v_set(float x) { return _mm256_set1_ps(x); }
static inline heed_v heed_v_load(const float *p) { return _mm256_loadu_ps(p); }
static inline void heed_v_store(float *p, heed_v x) { _mm256_storeu_ps(p, x); }
/* clang-format on */

static inline __m256i heed_v_first(int64_t count)
{
    static const int32_t ones_then_zeros[16] = {-1, -1, -1, -1, -1, -1, -1, -1,
                                                0,  0,  0,  0,  0,  0,  0,  0};
    count = count > 8 ? 8 : count;
    count = count < 0 ? 0 : count;
    return _mm256_loadu_si256((const __m256i *)(ones_then_zeros + 8 - count));
}
/* clang-format off */
static inline heed_v heed_v_load_part(const float *p, int64_t count)
{
    return _mm256_maskload_ps(p, heed_v_first(count));
}
static inline void heed_v_store_part(float *p, heed_v x, int64_t count)
{
    _mm256_maskstore_ps(p, heed_v_first(count), x);
}
/* clang-format on */

/* The first `count` of 8 halves, zeros after them. */
static inline __m128i heed_v_halves(const uint16_t *p, int64_t count)
{
    uint16_t part[8] = {0};
    if (count > 0) memcpy(part, p, (size_t)(count > 8 ? 8 : count) * sizeof *p);
    return _mm_loadu_si128((const __m128i *)part);
}
/* clang-format off */
static inline heed_v heed_v_load_f16(const uint16_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}
static inline heed_v heed_v_load_f16_part(const uint16_t *p, int64_t count)
{
    return _mm256_cvtph_ps(heed_v_halves(p, count));
}
/* clang-format on */
static inline heed_v heed_v_widen_bf16(__m128i x)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(x), 16));
}
/* clang-format off */
static inline heed_v heed_v_load_bf16(const uint16_t *p)
{
    return heed_v_widen_bf16(_mm_loadu_si128((const __m128i *)p));
}
static inline heed_v heed_v_load_bf16_part(const uint16_t *p, int64_t count)
{
    return heed_v_widen_bf16(heed_v_halves(p, count));
}

static inline heed_v heed_v_add(heed_v a, heed_v b) { return _mm256_add_ps(a, b); }
static inline heed_v heed_v_sub(heed_v a, heed_v b) { return _mm256_sub_ps(a, b); }
static inline heed_v heed_v_mul(heed_v a, heed_v b) { return _mm256_mul_ps(a, b); }
static inline heed_v heed_v_div(heed_v a, heed_v b) { return _mm256_div_ps(a, b); }
static inline heed_v heed_v_fma(heed_v a, heed_v b, heed_v c) { return _mm256_fmadd_ps(a, b, c); }
static inline heed_v heed_v_sqrt(heed_v a) { return _mm256_sqrt_ps(a); }
static inline heed_v heed_v_min(heed_v a, heed_v b) { return _mm256_min_ps(a, b); }
static inline heed_v heed_v_max(heed_v a, heed_v b) { return _mm256_max_ps(a, b); }

static inline heed_vm heed_v_less(heed_v a, heed_v b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
static inline heed_v heed_v_select(heed_vm m, heed_v a, heed_v b)
{
    return _mm256_blendv_ps(b, a, m);
}

static inline heed_vi heed_v_bits(heed_v x) { return _mm256_castps_si256(x); }
static inline heed_v heed_v_from_bits(heed_vi x) { return _mm256_castsi256_ps(x); }
static inline heed_vi heed_vi_set(int32_t x) { return _mm256_set1_epi32(x); }
static inline heed_vi heed_vi_add(heed_vi a, heed_vi b) { return _mm256_add_epi32(a, b); }
static inline heed_vi heed_vi_sub(heed_vi a, heed_vi b) { return _mm256_sub_epi32(a, b); }
static inline heed_vi heed_vi_and(heed_vi a, heed_vi b) { return _mm256_and_si256(a, b); }
static inline heed_vi heed_vi_or(heed_vi a, heed_vi b) { return _mm256_or_si256(a, b); }
static inline heed_vi heed_vi_left_16(heed_vi a) { return _mm256_slli_epi32(a, 16); }
static inline heed_vi heed_vi_left_23(heed_vi a) { return _mm256_slli_epi32(a, 23); }
static inline heed_vi heed_vi_right_23(heed_vi a) { return _mm256_srai_epi32(a, 23); }
static inline heed_vi heed_vi_right_16(heed_vi a) { return _mm256_srai_epi32(a, 16); }
static inline heed_v heed_vi_to_float(heed_vi a) { return _mm256_cvtepi32_ps(a); }
/* clang-format on */

/* In two factors, so that n down to -150 and up to 129 passes through normal numbers: only the last
   product rounds. */
static inline heed_v heed_v_scale(heed_v x, heed_v n)
{
    __m256i whole = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(whole, 1),
            bias = _mm256_set1_epi32(127);
    __m256 first = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23));
    __m256 second = _mm256_castsi256_ps(
        _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(whole, half), bias), 23));
    return _mm256_mul_ps(_mm256_mul_ps(x, first), second);
}

static inline float heed_v_sum(heed_v x)
{
    __m128 b = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    b = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(b, _mm_movehdup_ps(b)));
}
static inline float heed_v_hmax(heed_v x)
{
    __m128 b = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    b = _mm_max_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_max_ss(b, _mm_movehdup_ps(b)));
}

#endif
