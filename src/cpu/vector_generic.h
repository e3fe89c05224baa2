/* vector_generic.h: a vector of 4 floats in portable C (vector extension of gcc and clang); the names of vector.h. Include
   vector.h, not this. */
#ifndef HEED_CPU_VECTOR_GENERIC_H
#define HEED_CPU_VECTOR_GENERIC_H

#include "tensor/dtype.h"
#include <math.h>
#include <stdint.h>
#include <string.h>

typedef float heed_v __attribute__((vector_size(16)));
typedef int32_t heed_vi __attribute__((vector_size(16)));
typedef uint32_t heed_vu __attribute__((vector_size(16)));
typedef heed_vi heed_vm; /* all bits of a lane set or clear */
enum { HEED_LANES = 4 };

static inline heed_v heed_v_zero(void) { return (heed_v){0}; }
static inline heed_v heed_v_set(float x) { return (heed_v){x, x, x, x}; }
static inline heed_v heed_v_load(const float *p)
{
    heed_v x;
    memcpy(&x, p, sizeof x);
    return x;
}
static inline void heed_v_store(float *p, heed_v x) { memcpy(p, &x, sizeof x); }
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
static inline heed_v heed_v_load_f16(const uint16_t *p) { return heed_v_load_f16_part(p, HEED_LANES); }
static inline heed_v heed_v_load_bf16(const uint16_t *p) { return heed_v_load_bf16_part(p, HEED_LANES); }

static inline heed_v heed_v_add(heed_v a, heed_v b) { return a + b; }
static inline heed_v heed_v_sub(heed_v a, heed_v b) { return a - b; }
static inline heed_v heed_v_mul(heed_v a, heed_v b) { return a * b; }
static inline heed_v heed_v_div(heed_v a, heed_v b) { return a / b; }

/* a * b + c with one rounding. Without an instruction for it: the product is exact in double, the double sum is rounded to
   odd (its error, found by Knuth's two-sum, decides the last bit), and rounding that to float is then the one rounding.
   Source: Boldo & Melquiond 2008, "Emulation of FMA and correctly rounded sums: proved algorithms using rounding to odd". */
static inline heed_v heed_v_fma(heed_v a, heed_v b, heed_v c)
{
#if defined(__FP_FAST_FMAF)
    heed_v y;
    for (int i = 0; i < HEED_LANES; i++) y[i] = __builtin_fmaf(a[i], b[i], c[i]);
    return y;
#else
    typedef double wide __attribute__((vector_size(32)));
    typedef int64_t wide_bits __attribute__((vector_size(32)));
    wide product = __builtin_convertvector(a, wide) * __builtin_convertvector(b, wide), addend = __builtin_convertvector(c, wide);
    wide sum = product + addend, back = sum - product, rest = (product - (sum - back)) + (addend - back);
    wide_bits up = (rest > 0) ^ (sum < 0), inexact = (rest > 0) | (rest < 0), bits = (wide_bits)sum;
    bits += (-2 * up - 1) & inexact & ((bits & 1) - 1); /* an even last bit moves one step towards the exact sum */
    return __builtin_convertvector((wide)bits, heed_v);
#endif
}

static inline heed_v heed_v_sqrt(heed_v a)
{
    heed_v y;
    for (int i = 0; i < HEED_LANES; i++) y[i] = sqrtf(a[i]);
    return y;
}

static inline heed_vm heed_v_less(heed_v a, heed_v b) { return a < b; }
static inline heed_vi heed_v_bits(heed_v x) { return (heed_vi)x; }
static inline heed_v heed_v_from_bits(heed_vi x) { return (heed_v)x; }
static inline heed_v heed_v_select(heed_vm m, heed_v a, heed_v b) { return (heed_v)(((heed_vi)a & m) | ((heed_vi)b & ~m)); }
static inline heed_v heed_v_min(heed_v a, heed_v b) { return heed_v_select(a < b, a, b); }
static inline heed_v heed_v_max(heed_v a, heed_v b) { return heed_v_select(a > b, a, b); }

static inline heed_vi heed_vi_set(int32_t x) { return (heed_vi){x, x, x, x}; }
static inline heed_vi heed_vi_add(heed_vi a, heed_vi b) { return a + b; }
static inline heed_vi heed_vi_sub(heed_vi a, heed_vi b) { return a - b; }
static inline heed_vi heed_vi_and(heed_vi a, heed_vi b) { return a & b; }
static inline heed_vi heed_vi_or(heed_vi a, heed_vi b) { return a | b; }
static inline heed_vi heed_vi_left_23(heed_vi a) { return (heed_vi)((heed_vu)a << 23); }
static inline heed_vi heed_vi_right_23(heed_vi a) { return a >> 23; }
static inline heed_v heed_vi_to_float(heed_vi a) { return __builtin_convertvector(a, heed_v); }

/* In two factors, so that n down to -150 and up to 129 passes through normal numbers: only the last product rounds. */
static inline heed_v heed_v_scale(heed_v x, heed_v n)
{
    heed_vi whole = __builtin_convertvector(n, heed_vi), half = whole >> 1;
    return x * (heed_v)heed_vi_left_23(half + 127) * (heed_v)heed_vi_left_23(whole - half + 127);
}

static inline float heed_v_sum(heed_v x) { return (x[0] + x[2]) + (x[1] + x[3]); }
static inline float heed_v_largest(heed_v x)
{
    float a = x[0] > x[2] ? x[0] : x[2], b = x[1] > x[3] ? x[1] : x[3];
    return a > b ? a : b;
}

#endif
