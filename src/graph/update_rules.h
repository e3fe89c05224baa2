/* update_rules.h: the update rules, compiled once as plain code (update.c) and once per instruction
   set (cpu/update_avx2.c, cpu/update_avx512.c). HEED_UPDATE_TABLE is the name of the table. */
#include "graph/update.h"

#include <math.h>

/* Adam's factors for one update, rounded to floats once. */
typedef struct adam_numbers {
    float mean_weight, beta2, square_weight, root_correction, eps, minus_step;
} adam_numbers;

static adam_numbers numbers_of(const heed_update *update)
{
    const heed_optimizer_options *o = update->options;
    double correction1 = 1 - pow(o->beta1, (double)update->step);
    double correction2 = 1 - pow(o->beta2, (double)update->step);
    return (adam_numbers){.mean_weight = (float)(1 - o->beta1),
                          .beta2 = (float)o->beta2,
                          .square_weight = (float)(1 - o->beta2),
                          .root_correction = (float)sqrt(correction2),
                          .eps = (float)o->eps,
                          .minus_step = (float)-(update->rate / correction1)};
}

/* Returns 0 for numbers that are nearly denormal. Means of rows that get no gradient for a long
   time decay into denormal numbers, which are many times slower to compute with. */
static inline float flush_denormal(float x)
{
    const float denormal = 1e-30f;
    return fabsf(x) < denormal ? 0 : x;
}

/* m + weight * (g - m), computed from the nearer end, as torch.lerp does. */
static inline float blend(float m, float g, float weight)
{
    return weight < 0.5f ? m + weight * (g - m) : g - (g - m) * (1 - weight);
}

/* Adam on one element with gradient g; m and v are decayed means of g and g * g. Source: Kingma &
   Ba 2015, algorithm 1; torch.optim.Adam. */
static inline float adam_move(const adam_numbers *a, float x, float g, float *m, float *v)
{
    *m = flush_denormal(blend(*m, g, a->mean_weight));
    *v = flush_denormal(*v * a->beta2 + a->square_weight * g * g);
    return x + a->minus_step * *m / (sqrtf(*v) / a->root_correction + a->eps);
}

/* The same, but the quotient has w, the largest v so far. Source: Reddi, Kale & Kumar 2018,
   algorithm 2 (AMSGrad). */
static inline float amsgrad_move(const adam_numbers *a, float x, float g, float *m, float *v,
                                 float *w)
{
    *m = flush_denormal(blend(*m, g, a->mean_weight));
    *v = flush_denormal(*v * a->beta2 + a->square_weight * g * g);
    *w = *w > *v ? *w : *v;
    return x + a->minus_step * *m / (sqrtf(*w) / a->root_correction + a->eps);
}

/* Weight decay: x *= decoupled and g += l2 * x. Each rule uses one of them; the other is idle
   (decoupled 1, l2 0). */
typedef struct decay_factors {
    float decoupled, l2;
} decay_factors;

static void adam_pass(const heed_update *update, decay_factors decay, float *restrict x,
                      float *restrict g, float *const *slot, size_t n)
{
    const adam_numbers a = numbers_of(update);
    const float factor = update->factor, keep = decay.decoupled, l2 = decay.l2;
    float *restrict m = slot[0], *restrict v = slot[1], *restrict w = slot[2];
    if (w != NULL)
        for (size_t i = 0; i < n; i++)
            x[i] = amsgrad_move(&a, x[i] * keep, g[i] * factor + l2 * x[i], &m[i], &v[i], &w[i]);
    else
        for (size_t i = 0; i < n; i++)
            x[i] = adam_move(&a, x[i] * keep, g[i] * factor + l2 * x[i], &m[i], &v[i]);
    for (size_t i = 0; i < n; i++) g[i] = 0;
}

/* AdamW: x *= 1 - rate * decay, then Adam's step. Source: Loshchilov & Hutter 2019, algorithm 2;
   torch.optim.AdamW. */
static void adamw(const heed_update *update, double decay, float *value, float *gradient,
                  float *const *slot, size_t n)
{
    decay_factors factors = {.decoupled = (float)(1 - update->rate * decay), .l2 = 0};
    adam_pass(update, factors, value, gradient, slot, n);
}

/* Adam with weight decay as an L2 term: g += decay * x, then Adam's step. Source: Kingma & Ba 2015;
   torch.optim.Adam. */
static void adam(const heed_update *update, double decay, float *value, float *gradient,
                 float *const *slot, size_t n)
{
    adam_pass(update, (decay_factors){.decoupled = 1, .l2 = (float)decay}, value, gradient, slot,
              n);
}

/* Stochastic gradient descent: g += decay * x; b = momentum * b + (1 - dampening) * g (b = g at
   first); x -= rate * b, or, with Nesterov's look-ahead, x -= rate * (g + momentum * b). Source:
   Sutskever et al. 2013; torch.optim.SGD. */
static void sgd(const heed_update *update, double decay, float *value, float *gradient,
                float *const *slot, size_t n)
{
    const heed_optimizer_options *o = update->options;
    const float factor = update->factor, l2 = (float)decay, momentum = (float)o->momentum;
    const float minus_rate = (float)-update->rate;
    const bool first = update->step == 1;
    const float kept = first ? 0 : momentum;
    const float fresh = first ? 1 : (float)(1 - o->dampening);
    float *restrict x = value, *restrict g = gradient, *restrict b = slot[0];
    if (b == NULL)
        for (size_t i = 0; i < n; i++) x[i] = x[i] + minus_rate * (g[i] * factor + l2 * x[i]);
    else
        for (size_t i = 0; i < n; i++) {
            float now = g[i] * factor + l2 * x[i];
            b[i] = flush_denormal(b[i] * kept + fresh * now);
            x[i] = x[i] + minus_rate * (o->nesterov ? now + momentum * b[i] : b[i]);
        }
    for (size_t i = 0; i < n; i++) g[i] = 0;
}

enum { LANES = 8 };
/* The sum of squares of x (n), in eight accumulators that are added up in order. */
static double square_sum(const float *x, size_t n)
{
    double lane[LANES] = {0}, sum = 0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++) lane[j] += (double)x[i + (size_t)j] * x[i + (size_t)j];
    for (int j = 0; i < n; i++, j++) lane[j] += (double)x[i] * x[i];
    for (int j = 0; j < LANES; j++) sum += lane[j];
    return sum;
}

const heed_update_table HEED_UPDATE_TABLE = {
    .rule =
        {[HEED_OPTIMIZER_ADAMW] = adamw, [HEED_OPTIMIZER_ADAM] = adam, [HEED_OPTIMIZER_SGD] = sgd},
    .square_sum = square_sum};
