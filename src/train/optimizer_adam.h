/* optimizer_adam.h: what Adam and AdamW share. m, v: decayed means of gradient and squared gradient, w: largest v so far.
   Source: Kingma & Ba 2015, algorithm 1; Reddi, Kale & Kumar 2018 (AMSGrad). */
#ifndef HEED_TRAIN_OPTIMIZER_ADAM_H
#define HEED_TRAIN_OPTIMIZER_ADAM_H

#include "train/optimizer.h"

#include <math.h>

typedef struct heed_adam_numbers { float mean_weight, beta2, square_weight, root_correction, eps, minus_step; bool keeps_mean; } heed_adam_numbers;

static inline heed_adam_numbers adam_numbers(const heed_update *update)
{
    const heed_optimizer_options *o = update->options;
    double correction1 = 1 - pow(o->beta1, (double)update->step), correction2 = 1 - pow(o->beta2, (double)update->step);
    return (heed_adam_numbers){(float)(1 - o->beta1), (float)o->beta2, (float)(1 - o->beta2), (float)sqrt(correction2), (float)o->eps,
                               (float)-(update->rate / correction1), 1 - o->beta1 < 0.5};
}

/* m and v of n elements, then x -= step * m / (sqrt(v) / correction + eps). Pieces of this size stay in the first cache. */
static inline void adam_move(const heed_adam_numbers *a, float *restrict x, const float *restrict g, float *restrict m,
                             float *restrict v, float *restrict w, size_t n)
{
    if (a->keeps_mean)
        for (size_t i = 0; i < n; i++) m[i] = m[i] + a->mean_weight * (g[i] - m[i]);
    else
        for (size_t i = 0; i < n; i++) m[i] = g[i] - (g[i] - m[i]) * (1 - a->mean_weight);
    for (size_t i = 0; i < n; i++) v[i] = v[i] * a->beta2 + a->square_weight * g[i] * g[i];
    if (w != NULL)
        for (size_t i = 0; i < n; i++) w[i] = w[i] > v[i] ? w[i] : v[i];
    const float *restrict root = w != NULL ? w : v;
    for (size_t i = 0; i < n; i++) x[i] = x[i] + a->minus_step * m[i] / (sqrtf(root[i]) / a->root_correction + a->eps);
}

#endif
