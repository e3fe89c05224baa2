/* vector_generic.h: a vector of 4 floats in portable C (vector extension of gcc and clang); the
   names of vector.h. Include vector.h, not this. */
#ifndef HEED_CPU_VECTOR_GENERIC_H
#define HEED_CPU_VECTOR_GENERIC_H

#include "tensor/dtype.h"
#include <math.h>
#include <stdint.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

typedef float heed_v __attribute__((vector_size(16)));
typedef int32_t heed_vi __attribute__((vector_size(16)));
typedef uint32_t heed_vu __attribute__((vector_size(16)));
typedef heed_vi heed_vm; /* all bits of a lane set or clear */
enum { HEED_LANES = 4 };

static inline heed_v heed_v_zero(void)
{
    return (heed_v){0};
}
static inline heed_v heed_v_set(float x)
{
    return (heed_v){x, x, x, x};
}
static inline heed_v heed_v_load(const float *p)
{
    heed_v x;
    memcpy(&x, p, sizeof x);
    return x;
}
static inline void heed_v_store(float *p, heed_v x)
{
    memcpy(p, &x, sizeof x);
}
static inline heed_v heed_v_load_part(const float *p, int64_t count)
{
    heed_v x = {0};
    for (int64_t i = 0; i < count && i < HEED_LANES; i++) x[i] = p[i];
    return x;
}
static inline void heed_v_store_part(float *p, heed_v x, int64_t count)
{
    for (int64_t i = 0; i < count && i < HEED_LANES; i++) p[i] = x[i];
}
static inline heed_v heed_v_load_f16_part(const uint16_t *p, int64_t count)
{
    heed_v x = {0};
    for (int64_t i = 0; i < count && i < HEED_LANES; i++) x[i] = heed_f16_to_f32(p[i]);
    return x;
}
static inline heed_v heed_v_load_bf16_part(const uint16_t *p, int64_t count)
{
    heed_v x = {0};
    for (int64_t i = 0; i < count && i < HEED_LANES; i++) x[i] = heed_bf16_to_f32(p[i]);
    return x;
}
/* clang-format off */
static inline heed_v heed_v_load_f16(const uint16_t *p)
{
    return heed_v_load_f16_part(p, HEED_LANES);
}
static inline heed_v heed_v_load_bf16(const uint16_t *p)
{
    return heed_v_load_bf16_part(p, HEED_LANES);
}

static inline heed_v heed_v_add(heed_v a, heed_v b) { return a + b; }
static inline heed_v heed_v_sub(heed_v a, heed_v b) { return a - b; }
static inline heed_v heed_v_mul(heed_v a, heed_v b) { return a * b; }
static inline heed_v heed_v_div(heed_v a, heed_v b) { return a / b; }
/* clang-format on */

#if defined(__SSE2__) && !defined(__FP_FAST_FMAF)
/* product + addend in double, rounded to odd: the sum's error, found by Knuth's two-sum, says
   whether the exact sum is shorter (one step down) and that it is not a double (last bit set).
   Rounding that to float is the one rounding of a fused multiply-add.
   Source: Boldo & Melquiond 2008, "Emulation of FMA and correctly rounded sums: proved algorithms
   using rounding to odd". */
static inline __m128d heed_v_add_to_odd(__m128d product, __m128d addend)
{
    __m128d sum = _mm_add_pd(product, addend), back = _mm_sub_pd(sum, product);
    __m128d rest = _mm_add_pd(_mm_sub_pd(product, _mm_sub_pd(sum, back)), _mm_sub_pd(addend, back));
    __m128i inexact = _mm_castpd_si128(
        _mm_or_pd(_mm_cmplt_pd(rest, _mm_setzero_pd()), _mm_cmpgt_pd(rest, _mm_setzero_pd())));
    __m128i shorter = _mm_srli_epi64(_mm_castpd_si128(_mm_xor_pd(rest, sum)), 63);
    __m128i bits = _mm_sub_epi64(_mm_castpd_si128(sum), _mm_and_si128(inexact, shorter));
    return _mm_castsi128_pd(_mm_or_si128(bits, _mm_srli_epi64(inexact, 63)));
}

/* Nonzero where rounding product + addend to double and then to float may differ from one rounding:
   the double lies half way between two floats, or the float is subnormal. */
static inline __m128i heed_v_rounds_twice(__m128d sum)
{
    const __m128i below = _mm_set_epi32(0, 0x1FFFFFFF, 0, 0x1FFFFFFF),
                  half = _mm_set_epi32(1, 0x10000000, 1, 0x10000000);
    __m128d tiny = _mm_cmplt_pd(_mm_andnot_pd(_mm_set1_pd(-0.0), sum), _mm_set1_pd(0x1p-125));
    tiny = _mm_and_pd(tiny, _mm_cmpneq_pd(sum, _mm_setzero_pd()));
    return _mm_or_si128(_mm_cmpeq_epi32(_mm_and_si128(_mm_castpd_si128(sum), below), half),
                        _mm_castpd_si128(tiny));
}
#endif

/* a * b + c with one rounding: by instruction, by the exact product in double (baseline x86-64
   lacks the instruction), or by libm. */
static inline heed_v heed_v_fma(heed_v a, heed_v b, heed_v c)
{
#if defined(__SSE2__) && !defined(__FP_FAST_FMAF)
    __m128d low = _mm_mul_pd(_mm_cvtps_pd(a), _mm_cvtps_pd(b));
    __m128d high = _mm_mul_pd(_mm_cvtps_pd(_mm_movehl_ps(a, a)), _mm_cvtps_pd(_mm_movehl_ps(b, b)));
    __m128d c_low = _mm_cvtps_pd(c), c_high = _mm_cvtps_pd(_mm_movehl_ps(c, c));
    __m128d sum_low = _mm_add_pd(low, c_low), sum_high = _mm_add_pd(high, c_high);
    if (_mm_movemask_epi8(
            _mm_or_si128(heed_v_rounds_twice(sum_low), heed_v_rounds_twice(sum_high)))) {
        sum_low = heed_v_add_to_odd(low, c_low);
        sum_high = heed_v_add_to_odd(high, c_high);
    }
    return _mm_movelh_ps(_mm_cvtpd_ps(sum_low), _mm_cvtpd_ps(sum_high));
#else
    heed_v y;
    for (int i = 0; i < HEED_LANES; i++) y[i] = fmaf(a[i], b[i], c[i]);
    return y;
#endif
}

static inline heed_v heed_v_sqrt(heed_v a)
{
    heed_v y;
    for (int i = 0; i < HEED_LANES; i++) y[i] = sqrtf(a[i]);
    return y;
}

/* clang-format off */
static inline heed_vm heed_v_less(heed_v a, heed_v b) { return a < b; }
static inline heed_vi heed_v_bits(heed_v x) { return (heed_vi)x; }
static inline heed_v heed_v_from_bits(heed_vi x) { return (heed_v)x; }
static inline heed_v heed_v_select(heed_vm m, heed_v a, heed_v b)
{
    return (heed_v)(((heed_vi)a & m) | ((heed_vi)b & ~m));
}
static inline heed_v heed_v_min(heed_v a, heed_v b) { return heed_v_select(a < b, a, b); }
static inline heed_v heed_v_max(heed_v a, heed_v b) { return heed_v_select(a > b, a, b); }
/* clang-format on */

static inline heed_vi heed_vi_set(int32_t x)
{
    return (heed_vi){x, x, x, x};
}
/* wraps, as the others do */
static inline heed_vi heed_vi_add(heed_vi a, heed_vi b)
{
    return (heed_vi)((heed_vu)a + (heed_vu)b);
}
/* clang-format off */
static inline heed_vi heed_vi_sub(heed_vi a, heed_vi b)
{
    return (heed_vi)((heed_vu)a - (heed_vu)b);
}
static inline heed_vi heed_vi_and(heed_vi a, heed_vi b) { return a & b; }
static inline heed_vi heed_vi_or(heed_vi a, heed_vi b) { return a | b; }
static inline heed_vi heed_vi_left_16(heed_vi a) { return (heed_vi)((heed_vu)a << 16); }
static inline heed_vi heed_vi_left_23(heed_vi a) { return (heed_vi)((heed_vu)a << 23); }
static inline heed_vi heed_vi_right_23(heed_vi a) { return a >> 23; }
static inline heed_vi heed_vi_right_16(heed_vi a) { return a >> 16; }
static inline heed_v heed_vi_to_float(heed_vi a) { return __builtin_convertvector(a, heed_v); }
/* clang-format on */

/* In two factors, so that n down to -150 and up to 129 passes through normal numbers: only the last
   product rounds. */
static inline heed_v heed_v_scale(heed_v x, heed_v n)
{
    heed_vi whole = __builtin_convertvector(n, heed_vi), half = whole >> 1;
    return x * (heed_v)heed_vi_left_23(half + 127) * (heed_v)heed_vi_left_23(whole - half + 127);
}

static inline float heed_v_sum(heed_v x)
{
    return (x[0] + x[2]) + (x[1] + x[3]);
}
static inline float heed_v_hmax(heed_v x)
{
    const float a = x[0] > x[2] ? x[0] : x[2];
    const float b = x[1] > x[3] ? x[1] : x[3];
    return a > b ? a : b;
}

#endif
