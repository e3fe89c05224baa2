/* vector_unary.h: the element-wise functions of heed/unaries.def on heed_v. NaN is "not greater"
   here wherever it is in the formulas there. Results are within 3e-6 of the reference, relative to
   max(1, |y|), and have the same bits on all instruction sets. */
#ifndef HEED_CPU_VECTOR_UNARY_H
#define HEED_CPU_VECTOR_UNARY_H

#include "cpu/vector.h"
#include <heed/graph.h>

/* x > bound ? x : bound and x < bound ? x : bound, for constants. */
/* clang-format off */
static inline heed_v heed_v_at_least(heed_v x, float bound)
{
    return heed_v_max(x, heed_v_set(bound));
}
static inline heed_v heed_v_at_most(heed_v x, float bound)
{
    return heed_v_min(x, heed_v_set(bound));
}
/* clang-format on */

/* x / 2 * (1 + y). */
static inline heed_v heed_v_half_gate(heed_v x, heed_v y)
{
    return heed_v_mul(heed_v_mul(heed_v_set(0.5f), x), heed_v_add(heed_v_set(1), y));
}

/* x / (1 + e^(-slope x)). */
static inline heed_v heed_v_swish(heed_v x, float slope)
{
    return heed_v_div(x, heed_v_add(heed_v_set(1), heed_v_exp(heed_v_mul(heed_v_set(-slope), x))));
}

static inline heed_v heed_v_gelu(heed_v x)
{
    return heed_v_half_gate(x, heed_v_erf(heed_v_mul(x, heed_v_set(0.70710678118654752440f))));
}

/* Tanh form: x / 2 * (1 + tanh(z)) = x / (1 + e^(-2 z)) with z = scale * (x + 0.044715 x^3).
   Source: Hendrycks & Gimpel 2016. */
static inline heed_v heed_v_gelu_tanh(heed_v x, float scale)
{
    heed_v cubed = heed_v_mul(heed_v_mul(x, x), x),
           inner = heed_v_fma(heed_v_set(0.044715f), cubed, x);
    return heed_v_div(
        x, heed_v_add(heed_v_set(1), heed_v_exp(heed_v_mul(heed_v_set(-2 * scale), inner))));
}

/* log(1 + e^x) = max(x, 0) + log(1 + e^-|x|). */
static inline heed_v heed_v_softplus(heed_v x)
{
    heed_v tail = heed_v_log1p_unit(heed_v_exp(heed_v_negate(heed_v_abs(x))));
    return heed_v_add(heed_v_max(heed_v_zero(), x), tail);
}

/* x tanh(log(1 + e^x)) = x w / (w + 2) with w = e^x (e^x + 2); from x = 20 on the factor is 1 in
   f32. */
static inline heed_v heed_v_mish(heed_v x)
{
    heed_v e = heed_v_exp(heed_v_min(heed_v_set(20), x)), two = heed_v_set(2),
           w = heed_v_mul(e, heed_v_add(e, two));
    return heed_v_mul(x, heed_v_div(w, heed_v_add(w, two)));
}

/* x * clamp(x + 3, 0, 6) / 6, exactly 0 and x outside (-3, 3). */
static inline heed_v heed_v_hardswish(heed_v x)
{
    heed_v inner = heed_v_div(heed_v_mul(x, heed_v_add(x, heed_v_set(3))), heed_v_set(6));
    inner = heed_v_select(heed_v_less(heed_v_set(3), x), x, inner);
    return heed_v_select(heed_v_less(x, heed_v_set(-3)), heed_v_zero(), inner);
}

static inline heed_v heed_v_unary(heed_unary_kind kind, heed_v x)
{
    switch (kind) {
    case HEED_UNARY_LINEAR: return x;
    case HEED_UNARY_RELU: return heed_v_at_least(x, 0);
    case HEED_UNARY_RELU2: x = heed_v_at_least(x, 0); return heed_v_mul(x, x);
    case HEED_UNARY_RELU6: return heed_v_min(heed_v_set(6), heed_v_max(heed_v_zero(), x));
    case HEED_UNARY_LEAKY_RELU:
        return heed_v_select(heed_v_less(heed_v_zero(), x), x, heed_v_mul(heed_v_set(0.01f), x));
    case HEED_UNARY_GELU: return heed_v_gelu(x);
    case HEED_UNARY_GELU_TANH: return heed_v_gelu_tanh(x, 0.79788456080286535588f);
    case HEED_UNARY_GELU_FAST: return heed_v_gelu_tanh(x, 0.7978845608f);
    case HEED_UNARY_GELU_10:
        return heed_v_min(heed_v_set(10), heed_v_max(heed_v_set(-10), heed_v_gelu(x)));
    case HEED_UNARY_QUICK_GELU: return heed_v_swish(x, 1.702f);
    case HEED_UNARY_SILU: return heed_v_swish(x, 1);
    case HEED_UNARY_MISH: return heed_v_mish(x);
    case HEED_UNARY_LAPLACE: {
        heed_v z = heed_v_mul(heed_v_sub(x, heed_v_set(0.707107f)),
                              heed_v_set(1 / (0.282095f * 1.41421356237309504880f)));
        return heed_v_mul(heed_v_set(0.5f), heed_v_add(heed_v_set(1), heed_v_erf(z)));
    }
    case HEED_UNARY_HARDSWISH: return heed_v_hardswish(x);
    case HEED_UNARY_TANH: return heed_v_tanh(x);
    case HEED_UNARY_SIGMOID: return heed_v_sigmoid(x);
    case HEED_UNARY_EXP: return heed_v_exp(x);
    case HEED_UNARY_LOG: return heed_v_log(x);
    case HEED_UNARY_SQRT: return heed_v_sqrt(x);
    case HEED_UNARY_RSQRT: return heed_v_div(heed_v_set(1), heed_v_sqrt(x));
    case HEED_UNARY_SQUARE: return heed_v_mul(x, x);
    case HEED_UNARY_ABS: return heed_v_abs(x);
    case HEED_UNARY_NEGATE: return heed_v_negate(x);
    case HEED_UNARY_SOFTPLUS: return heed_v_softplus(x);
    case HEED_UNARY_SQRT_SOFTPLUS: return heed_v_sqrt(heed_v_softplus(x));
    case HEED_UNARY_COUNT: break;
    }
    return x;
}

#endif
