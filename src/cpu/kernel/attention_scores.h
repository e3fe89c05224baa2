/* attention_scores.h: from q.k to scores (scale, soft cap, ALiBi, hidden keys), and from scores to
   softmax weights. */
#ifndef HEED_CPU_KERNEL_ATTENTION_SCORES_H
#define HEED_CPU_KERNEL_ATTENTION_SCORES_H

#include "cpu/kernel/attention_tiles.h"

/* What ALiBi adds to the scores of `head` against the tile: alibi_scale * slope * (key - query).
   With alibi_bf16 it is alibi_scale times a difference of two products in bf16, slope * key and
   slope * query. */
static inline void alibi_row(const problem *p, const key_tile *tile, int64_t query, int head,
                             int vectors, float *biases)
{
    const heed_attention_attributes *a = p->attributes;
    const float slope = p->slopes[head];
    for (int j = 0; j < vectors * HEED_LANES; j++)
        biases[j] = j < tile->count ? (float)(tile->index[j] - query) : 0;
    if (a->alibi_bf16) {
        const float from = heed_alibi_product(slope, query);
        for (int j = 0; j < tile->count && j < vectors * HEED_LANES; j++)
            biases[j] = heed_alibi_product(slope, tile->index[j]) - from;
    }
    const heed_v factor = heed_v_set(a->alibi_bf16 ? a->alibi_scale : a->alibi_scale * slope);
    for (int v = 0; v < vectors; v++)
        heed_v_store(biases + v * HEED_LANES,
                     heed_v_mul(factor, heed_v_load(biases + v * HEED_LANES)));
}

/* The mask index of a query, and one of its heads. */
typedef struct {
    int64_t query;
    int head;
} query_head;

/* q.k of one query and head become scores: times scale, then soft-capped, then biased.
   `derivatives`, if not NULL, receives d score / d q.k. */
static inline void bias_scores(const problem *p, const key_tile *tile, query_head of, int vectors,
                               float *scores, float *derivatives)
{
    const heed_attention_attributes *a = p->attributes;
    const heed_v one = heed_v_set(1), scale = heed_v_set(a->scale), cap = heed_v_set(a->soft_cap);
    float biases[TILE];
    if (p->slopes) alibi_row(p, tile, of.query, of.head, vectors, biases);
    for (int at = 0; at < vectors * HEED_LANES; at += HEED_LANES) {
        heed_v x = heed_v_mul(heed_v_load(scores + at), scale), derivative = scale;
        if (a->soft_cap > 0) {
            heed_v t = heed_v_tanh(heed_v_div(x, cap));
            x = heed_v_mul(cap, t);
            derivative = heed_v_mul(scale, heed_v_mul(heed_v_sub(one, t), heed_v_add(one, t)));
        }
        if (p->slopes) x = heed_v_add(x, heed_v_load(biases + at));
        heed_v_store(scores + at, x);
        if (derivatives) heed_v_store(derivatives + at, derivative);
    }
}

/* 2^x for x <= 0 with a relative error of 3e-6, which does not matter for weights that are rounded
   to bf16; 0 below -150.45. With n = x rounded and r = x - n it is 2^n (1 + r q(r)), where q is
   fitted like the polynomials of vector_math.h. */
HEED_INLINE heed_v short_exp2(heed_v x)
{
    static const float q[] = {0x1.62e12cp-1f, 0x1.ec0378p-3f, 0x1.c9fc46p-5f, 0x1.3a02ccp-7f};
    const heed_v rounder = heed_v_set(0x1.8p23f);
    x = heed_v_max(heed_v_set(-150.45f), x);
    heed_v n = heed_v_sub(heed_v_add(x, rounder), rounder), r = heed_v_sub(x, n);
    return heed_v_scale(heed_v_fma(heed_v_polynomial(r, q, 4), r, heed_v_set(1)), n);
}

/* How q.k become softmax weights exp(scale * q.k - shift). With bf16 operands scale and shift hold
   log2(e) times as much, with the sign of an addend, for short_exp2. */
typedef struct {
    heed_v scale, shift;
    bool bf16;
} weight_scale;

/* The constants of a row; shift is its maximum, or its lse if that is known. */
HEED_INLINE weight_scale weight_scale_of(const problem *p, float scale, float shift)
{
    const float log2_e = 0x1.715476p+0f;
    return p->bf16 ? (weight_scale){heed_v_set(scale * log2_e), heed_v_set(-shift * log2_e), true}
                   : (weight_scale){heed_v_set(scale), heed_v_set(shift), false};
}

HEED_INLINE heed_v weight_of(const weight_scale *w, heed_v score)
{
    return w->bf16 ? short_exp2(heed_v_fma(score, w->scale, w->shift))
                   : heed_v_exp(heed_v_sub(heed_v_mul(score, w->scale), w->shift));
}

/* Have n elements of a packed right operand neither NaN nor infinity, in either half if they are
   pairs? */
static inline bool all_finite(const problem *p, const float *x, int64_t n)
{
    const uint32_t high = 0x7F800000u, low = p->k_group > 1 ? 0x7F80u : 0;
    uint32_t found = 0;
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        found |= (uint32_t)((bits & high) == high) | (uint32_t)(low && (bits & low) == low);
    }
    return !found;
}

/* Writes -inf over the scores of one row whose bit in `seen` is 0. If the bits form one run,
   vectors of places are compared with its ends; otherwise bit after bit is tested. */
static inline void hide(float *scores, int vectors, uint64_t seen)
{
    static const float ramp[TILE] = {
        0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
        22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
        44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};
    const heed_v nothing = heed_v_set(-__builtin_inff());
    const int low = seen ? __builtin_ctzll(seen) : 0;
    const int high = seen ? 64 - __builtin_clzll(seen) : 0;
    if (seen == bits_between(low, high - 1)) {
        const heed_v first = heed_v_set((float)low - 0.5f), last = heed_v_set((float)high - 0.5f);
        for (int v = 0; v < vectors; v++) {
            heed_v at = heed_v_load(ramp + v * HEED_LANES),
                   x = heed_v_load(scores + v * HEED_LANES);
            x = heed_v_select(heed_v_less(at, last), x, nothing);
            heed_v_store(scores + v * HEED_LANES,
                         heed_v_select(heed_v_less(first, at), x, nothing));
        }
        return;
    }
    for (int j = 0; j < vectors * HEED_LANES; j++)
        if (!(seen >> j & 1)) scores[j] = -__builtin_inff();
}

#endif
