/* unary_derivative.h: the derivatives of heed/unaries.def on vectors. If a derivative has a limit
   for large arguments, it is reached without computing infinity times zero: finite x gives no NaN
   where the function is defined. */
#ifndef HEED_CPU_KERNEL_UNARY_DERIVATIVE_H
#define HEED_CPU_KERNEL_UNARY_DERIVATIVE_H

#include "cpu/kernel/kernel.h"
#include "cpu/vector_unary.h"

/* The largest floats below 10 and 3: x > BELOW_10 means x >= 10. */
#define BELOW_10 0x1.3ffffep3f
#define BELOW_3 0x1.7ffffep1f

HEED_INLINE heed_v clamp(heed_v x, float low, float high)
{
    return heed_v_max(heed_v_set(low), heed_v_min(heed_v_set(high), x));
}

/* x > bound ? a : b. */
HEED_INLINE heed_v where_greater(heed_v x, float bound, heed_v a, heed_v b)
{
    return heed_v_select(heed_v_less(heed_v_set(bound), x), a, b);
}

/* s (1 - s) for s = sigmoid(x), from e^-|x|. */
HEED_INLINE heed_v sigmoid_derivative(heed_v x)
{
    heed_v e = heed_v_exp(heed_v_negate(heed_v_abs(x))), sum = heed_v_add(heed_v_set(1), e);
    return heed_v_div(e, heed_v_mul(sum, sum));
}

/* 1 / (1 + e^-x), accurate on both sides. */
HEED_INLINE heed_v sigmoid_value(heed_v x)
{
    heed_v e = heed_v_exp(heed_v_negate(heed_v_abs(x))), sum = heed_v_add(heed_v_set(1), e);
    return heed_v_div(heed_v_select(heed_v_less(x, heed_v_zero()), e, heed_v_set(1)), sum);
}

/* d/dx x sigmoid(ax); 0 or 1 past |ax| = 1000. */
HEED_INLINE heed_v swish_derivative(heed_v x, float a)
{
    heed_v z = clamp(heed_v_mul(heed_v_set(a), x), -1000, 1000);
    return heed_v_fma(z, sigmoid_derivative(z), sigmoid_value(z));
}

/* d/dx x (1 + tanh(z)) / 2 with z = c (x + 0.044715 x^3): with s = 1 / (1 + e^(-2z)) it is s + 2 x
   s (1 - s) dz/dx; 0 or 1 past |x| = 20. */
HEED_INLINE heed_v gelu_tanh_derivative(heed_v x, float c)
{
    x = clamp(x, -20, 20);
    heed_v square = heed_v_mul(x, x),
           minus_2z = heed_v_mul(heed_v_set(-2 * c),
                                 heed_v_fma(heed_v_mul(square, x), heed_v_set(0.044715f), x));
    heed_v e = heed_v_exp(clamp(minus_2z, -80, 80)),
           s = heed_v_div(heed_v_set(1), heed_v_add(heed_v_set(1), e));
    heed_v ds = heed_v_mul(heed_v_mul(e, heed_v_mul(s, s)),
                           heed_v_fma(heed_v_set(2 * 0.134145f * c), square, heed_v_set(2 * c)));
    return heed_v_fma(x, ds, s);
}

/* d/dx x cdf(x) = cdf(x) + x pdf(x), both of the standard normal distribution. */
HEED_INLINE heed_v gelu_derivative(heed_v x)
{
    x = clamp(x, -20, 20);
    heed_v pdf = heed_v_mul(heed_v_set(0.39894228040143267794f),
                            heed_v_exp(heed_v_mul(heed_v_set(-0.5f), heed_v_mul(x, x))));
    heed_v cdf = heed_v_mul(
        heed_v_set(0.5f),
        heed_v_add(heed_v_set(1), heed_v_erf(heed_v_mul(x, heed_v_set(0.70710678118654752440f)))));
    return heed_v_fma(x, pdf, cdf);
}

/* d/dx x tanh(softplus(x)) = t + x sigmoid(x) (1 - t^2) with t = tanh(softplus(x)). */
HEED_INLINE heed_v mish_derivative(heed_v x)
{
    x = clamp(x, -100, 100);
    heed_v t = heed_v_tanh(heed_v_softplus(x)), dt = heed_v_sub(heed_v_set(1), heed_v_mul(t, t));
    return heed_v_fma(heed_v_mul(x, sigmoid_value(x)), dt, t);
}

/* d/dx of a normal distribution function with mean 0.707107 and deviation 0.282095: its density. */
HEED_INLINE heed_v laplace_derivative(heed_v x)
{
    const float deviation = 0.282095f;
    heed_v centered = clamp(heed_v_sub(x, heed_v_set(0.707107f)), -20, 20);
    heed_v unnormalized = heed_v_exp(
        heed_v_mul(heed_v_mul(centered, centered), heed_v_set(-1 / (2 * deviation * deviation))));
    return heed_v_mul(unnormalized, heed_v_set(1 / (deviation * 2.50662827463100050242f)));
}

HEED_INLINE heed_v unary_derivative(heed_unary_kind kind, heed_v x)
{
    const heed_v zero = heed_v_zero(), one = heed_v_set(1), two = heed_v_set(2);
    switch (kind) {
    case HEED_UNARY_LINEAR: return one;
    case HEED_UNARY_RELU: return where_greater(x, 0, one, zero);
    case HEED_UNARY_RELU2: return where_greater(x, 0, heed_v_add(x, x), zero);
    case HEED_UNARY_RELU6:
        return where_greater(x, 0, heed_v_select(heed_v_less(x, heed_v_set(6)), one, zero), zero);
    case HEED_UNARY_LEAKY_RELU: return where_greater(x, 0, one, heed_v_set(0.01f));
    case HEED_UNARY_GELU: return gelu_derivative(x);
    case HEED_UNARY_GELU_TANH: return gelu_tanh_derivative(x, 0.79788456080286535588f);
    case HEED_UNARY_GELU_FAST: return gelu_tanh_derivative(x, 0.7978845608f);
    case HEED_UNARY_GELU_10: return where_greater(x, BELOW_10, zero, gelu_derivative(x));
    case HEED_UNARY_QUICK_GELU: return swish_derivative(x, 1.702f);
    case HEED_UNARY_SILU: return swish_derivative(x, 1);
    case HEED_UNARY_MISH: return mish_derivative(x);
    case HEED_UNARY_LAPLACE: return laplace_derivative(x);
    case HEED_UNARY_HARDSWISH: {
        heed_v inner = heed_v_div(heed_v_fma(two, x, heed_v_set(3)), heed_v_set(6));
        return heed_v_select(heed_v_less(x, heed_v_set(-BELOW_3)), zero,
                             where_greater(x, BELOW_3, one, inner));
    }
    case HEED_UNARY_TANH: {
        heed_v t = heed_v_tanh(x);
        return heed_v_sub(one, heed_v_mul(t, t));
    }
    case HEED_UNARY_SIGMOID: return sigmoid_derivative(x);
    case HEED_UNARY_EXP: return heed_v_exp(x);
    case HEED_UNARY_LOG: return heed_v_div(one, x);
    case HEED_UNARY_SQRT: return heed_v_div(heed_v_set(0.5f), heed_v_sqrt(x));
    case HEED_UNARY_RSQRT: return heed_v_div(heed_v_set(-0.5f), heed_v_mul(x, heed_v_sqrt(x)));
    case HEED_UNARY_SQUARE: return heed_v_add(x, x);
    case HEED_UNARY_ABS:
        return where_greater(x, 0, one, heed_v_select(heed_v_less(x, zero), heed_v_set(-1), zero));
    case HEED_UNARY_NEGATE: return heed_v_set(-1);
    case HEED_UNARY_SOFTPLUS: return sigmoid_value(x);
    /* far below 0 softplus is e^x, which may be 0 where its root is not */
    case HEED_UNARY_SQRT_SOFTPLUS: {
        heed_v half = heed_v_set(0.5f), far = heed_v_mul(half, heed_v_exp(heed_v_mul(half, x)));
        heed_v near = heed_v_div(heed_v_mul(half, sigmoid_value(x)),
                                 heed_v_sqrt(heed_v_softplus(x)));
        return heed_v_select(heed_v_less(x, heed_v_set(-80)), far, near);
    }
    case HEED_UNARY_COUNT: break;
    }
    return one;
}

#endif
