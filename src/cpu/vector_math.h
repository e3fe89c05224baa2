/* vector_math.h: elementary functions on heed_v, the same text for every instruction set; vector.h
   includes it. The polynomials are minimax fits made for this file (Remez algorithm, weighted for
   relative error). The errors given are those of the polynomials, before rounding. */
#ifndef HEED_CPU_VECTOR_MATH_H
#define HEED_CPU_VECTOR_MATH_H

#include <math.h>

/* clang-format off */
static inline heed_v heed_v_negate(heed_v x) { return heed_v_sub(heed_v_set(-0.0f), x); }
static inline heed_v heed_v_abs(heed_v x)
{
    return heed_v_from_bits(heed_vi_and(heed_v_bits(x), heed_vi_set(0x7FFFFFFF)));
}
/* clang-format on */
/* |magnitude| with the sign of `sign`. */
static inline heed_v heed_v_copysign(heed_v magnitude, heed_v sign)
{
    heed_vi top = heed_vi_and(heed_v_bits(sign), heed_vi_set(INT32_MIN));
    return heed_v_from_bits(
        heed_vi_or(heed_vi_and(heed_v_bits(magnitude), heed_vi_set(0x7FFFFFFF)), top));
}

/* x rounded to bf16, to nearest even. Subnormal numbers become zeros; NaN and infinity stay. */
static inline heed_v heed_v_round_bf16(heed_v x)
{
    heed_vi bits = heed_v_bits(x), odd = heed_vi_and(heed_vi_right_16(bits), heed_vi_set(1));
    bits = heed_vi_and(heed_vi_add(heed_vi_add(bits, heed_vi_set(0x7FFF)), odd),
                       heed_vi_set((int32_t)0xFFFF0000));
    heed_v size = heed_v_abs(x),
           y = heed_v_select(heed_v_less(size, heed_v_set(INFINITY)), heed_v_from_bits(bits), x);
    return heed_v_select(heed_v_less(size, heed_v_set(0x1p-126f)), heed_v_mul(x, heed_v_zero()), y);
}

/* c[0] + c[1] x + ... + c[count-1] x^(count-1), by Horner's rule. */
static inline heed_v heed_v_polynomial(heed_v x, const float *c, int count)
{
    heed_v y = heed_v_set(c[count - 1]);
    for (int i = count - 2; i >= 0; i--) y = heed_v_fma(y, x, heed_v_set(c[i]));
    return y;
}

/* e^x = 2^n e^r with |r| <= ln 2 / 2 and e^r = 1 + r + r^2 q(r), error of q 3.1e-9. 0 below
   -103.98, infinity above 88.73. */
static inline heed_v heed_v_exp(heed_v x)
{
    static const float q[] = {0x1.fffffcp-2f, 0x1.555492p-3f, 0x1.5558f2p-5f, 0x1.1239e2p-7f,
                              0x1.6a2434p-10f};
    const heed_v rounder = heed_v_set(0x1.8p23f); /* adding it leaves an integer in the low bits */
    x = heed_v_max(heed_v_set(-104.0f), heed_v_min(heed_v_set(89.0f), x));
    heed_v n = heed_v_sub(heed_v_fma(x, heed_v_set(0x1.715476p+0f), rounder), rounder);
    heed_v r = heed_v_fma(n, heed_v_set(-0x1.62e430p-1f), x);
    r = heed_v_fma(n, heed_v_set(0x1.05c610p-29f), r);
    heed_v y = heed_v_fma(heed_v_mul(r, r), heed_v_polynomial(r, q, 5), r);
    return heed_v_scale(heed_v_add(y, heed_v_set(1)), n);
}

/* 2 artanh(s) = log((1+s)/(1-s)) for |s| <= 1/3; error 4.6e-9. */
static inline heed_v heed_v_twice_artanh(heed_v s)
{
    static const float p[] = {0x1.555500p-2f, 0x1.99d2acp-3f, 0x1.1eb2b8p-3f, 0x1.1f0a4ep-3f};
    heed_v t = heed_v_mul(s, s), twice = heed_v_add(s, s);
    return heed_v_fma(heed_v_mul(twice, t), heed_v_polynomial(t, p, 4), twice);
}

/* log(1 + u) for u in [0, 1]; 3 units in the last place. */
static inline heed_v heed_v_log1p_unit(heed_v u)
{
    return heed_v_twice_artanh(heed_v_div(u, heed_v_add(u, heed_v_set(2))));
}

/* Natural logarithm. x = 2^e m with m in [0.707, 1.414). */
static inline heed_v heed_v_log(heed_v x)
{
    const heed_v infinity = heed_v_set(__builtin_inff()), zero = heed_v_zero();
    heed_vm tiny = heed_v_less(x, heed_v_set(0x1p-126f));
    heed_vi bits = heed_v_bits(heed_v_select(tiny, heed_v_mul(x, heed_v_set(0x1p24f)), x));
    heed_vi exponent = heed_vi_right_23(heed_vi_sub(bits, heed_vi_set(0x3F3504F3)));
    heed_v m = heed_v_from_bits(heed_vi_sub(bits, heed_vi_left_23(exponent)));
    heed_v e = heed_v_sub(heed_vi_to_float(exponent), heed_v_select(tiny, heed_v_set(24), zero));
    heed_v y = heed_v_twice_artanh(
        heed_v_div(heed_v_sub(m, heed_v_set(1)), heed_v_add(m, heed_v_set(1))));
    y = heed_v_fma(e, heed_v_set(0x1.62e430p-1f), heed_v_fma(e, heed_v_set(-0x1.05c610p-29f), y));
    y = heed_v_select(heed_v_less(x, infinity), y, x); /* infinity and NaN */
    y = heed_v_select(heed_v_less(zero, x), y,
                      heed_v_select(heed_v_less(x, zero), heed_v_set(__builtin_nanf("")), y));
    return heed_v_select(heed_v_less(heed_v_abs(x), heed_v_set(0x1p-149f)), heed_v_negate(infinity),
                         y);
}

/* Below 0.625 an odd polynomial, error 4.1e-9; above, 1 - 2 / (e^(2|x|) + 1). */
static inline heed_v heed_v_tanh(heed_v x)
{
    static const float p[] = {-0x1.555534p-2f, 0x1.110768p-3f, -0x1.b84448p-5f, 0x1.5256d8p-6f,
                              -0x1.76ac1cp-8f};
    heed_v size = heed_v_abs(x), t = heed_v_mul(x, x), one = heed_v_set(1);
    heed_v small = heed_v_fma(heed_v_mul(x, t), heed_v_polynomial(t, p, 5), x);
    heed_v large = heed_v_sub(
        one, heed_v_div(heed_v_set(2), heed_v_add(heed_v_exp(heed_v_add(size, size)), one)));
    return heed_v_select(heed_v_less(size, heed_v_set(0.625f)), small, heed_v_copysign(large, x));
}

/* Below 1 an odd polynomial, error 1.2e-9; above, 1 - e^p(|x|) with p fitted to log(1 - erf), error
   1.0e-9; 1 from 3.95. */
static inline heed_v heed_v_erf(heed_v x)
{
    static const float inner[] = {0x1.20dd74p+0f, -0x1.81273ep-2f,  0x1.ce2cf8p-4f, -0x1.b7f90ep-6f,
                                  0x1.5405b2p-8f, -0x1.a3f700p-11f, 0x1.496a32p-14f};
    static const float outer[] = {-0x1.72e976p-12f, -0x1.2085b2p+0f, -0x1.46c586p-1f,
                                  -0x1.a60a74p-4f,  0x1.654208p-6f,  -0x1.814ca6p-9f,
                                  0x1.852cf8p-13f};
    heed_v size = heed_v_min(heed_v_set(3.95f), heed_v_abs(x)), t = heed_v_mul(x, x);
    heed_v small = heed_v_mul(x, heed_v_polynomial(t, inner, 7));
    heed_v large = heed_v_sub(heed_v_set(1), heed_v_exp(heed_v_polynomial(size, outer, 7)));
    return heed_v_select(heed_v_less(size, heed_v_set(1)), small, heed_v_copysign(large, x));
}

/* 1 / (1 + e^-x). */
static inline heed_v heed_v_sigmoid(heed_v x)
{
    return heed_v_div(heed_v_set(1), heed_v_add(heed_v_set(1), heed_v_exp(heed_v_negate(x))));
}

#endif
