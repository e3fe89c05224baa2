/* unary.h: the functions that include/heed/unaries.def names, and its table as code. Finite x gives
   no NaN where the function is defined: log, sqrt and rsqrt are for x that is not negative. */
#ifndef HEED_OP_UNARY_H
#define HEED_OP_UNARY_H

#include "op/reference.h"

/* log(1 + exp(x)) without overflow. */
static inline real R(heed_softplus)(real x)
{
    return (x > 0 ? x : 0) + R(log1p)(R(exp)(-R(fabs)(x)));
}

/* 1 / (1 + exp(-x)), accurate on both sides. */
static inline real R(heed_sigmoid)(real x)
{
    real e = R(exp)(-R(fabs)(x));
    return x < 0 ? e / (1 + e) : 1 / (1 + e);
}

static inline real R(heed_sigmoid_derivative)(real x)
{
    real e = R(exp)(-R(fabs)(x));
    return e / ((1 + e) * (1 + e));
}

/* d/dx x sigmoid(ax). Past |ax| = 1000 it is 0 or 1 in any precision, and ax may have
   overflowed. */
static inline real R(heed_swish_derivative)(real x, real a)
{
    real z = a * x;
    if (R(fabs)(z) > 1000) return z > 0 ? (real)1 : (real)0;
    return R(heed_sigmoid)(z) + z * R(heed_sigmoid_derivative)(z);
}

/* d/dx sqrt(softplus(x)). Far below 0 softplus is e^x, which may be 0 where its root is not. */
static inline real R(heed_sqrt_softplus_derivative)(real x)
{
    if (x < -80) return (real)0.5 * R(exp)((real)0.5 * x);
    return (real)0.5 * R(heed_sigmoid)(x) / R(sqrt)(R(heed_softplus)(x));
}

/* d/dx x tanh(softplus(x)). */
static inline real R(heed_mish_derivative)(real x)
{
    real t = R(tanh)(R(heed_softplus)(x));
    return t + x * R(heed_sigmoid)(x) * (1 - t * t);
}

/* d/dx x (1 + tanh(c (x + 0.044715 x^3))) / 2. Past |x| = 20 tanh is +-1 in any precision, and x^2
   may overflow. */
static inline real R(heed_gelu_tanh_derivative)(real x, real c)
{
    if (R(fabs)(x) > 20) return x > 0 ? (real)1 : (real)0;
    real t = R(tanh)(c * (x + (real)0.044715 * x * x * x));
    return (real)0.5 * (1 + t) + (real)0.5 * x * (1 - t * t) * c * (1 + (real)0.134145 * x * x);
}

static inline real R(heed_clip_10)(real x)
{
    if (x > 10) return (real)10;
    return x < -10 ? (real)-10 : x;
}

/* GELU's own derivative inside (-10, 10), 0 where it is clipped. GELU is never below -0.17 and
   passes 10 at x = 10. */
static inline real R(heed_gelu_10_derivative)(real x)
{
    if (x >= 10) return 0;
    return (real)0.5 * (1 + R(erf)(x * (real)0.70710678118654752440)) +
           x * (real)0.39894228040143267794 * R(exp)((real)-0.5 * x * x);
}

static inline real REAL(heed_unary_value)(int32_t kind, real x)
{
    switch (kind) {
#define HEED_UNARY(symbol, name, formula, derivative) \
    case HEED_UNARY_##symbol:                         \
        return formula;
#include <heed/unaries.def>
#undef HEED_UNARY
    default: return x;
    }
}

static inline real REAL(heed_unary_derivative)(int32_t kind, real x)
{
    switch (kind) {
#define HEED_UNARY(symbol, name, formula, derivative) \
    case HEED_UNARY_##symbol:                         \
        return derivative;
#include <heed/unaries.def>
#undef HEED_UNARY
    default: return 1;
    }
}

#endif
