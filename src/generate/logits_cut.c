/* logits_cut.c: the temperature, and the cuts that leave out unlikely tokens before one is drawn,
   in the order of transformers. A cut sets the scores of these tokens to -infinity. */
#include "generate/logits_internal.h"
#include "generate/choose.h"

typedef heed_generation_settings settings_t;
typedef heed_logits_context context_t;
typedef heed_logits_scratch scratch_t;

/* Returns the fewest tokens that a cut leaves. */
static int64_t kept_at_least(const context_t *context, const scratch_t *scratch)
{
    int64_t keep = context->keep > 1 ? context->keep : 1;
    return keep < scratch->vocabulary ? keep : scratch->vocabulary;
}

/* Divides the scores by the temperature, as transformers does. If a quotient would leave the range
   of float, the differences from the largest score are divided instead, in double; a draw depends
   only on these differences. As the temperature falls, only the largest scores remain (several if
   they are equal). As it grows, all tokens become equally likely. */
static bool wants_temperature(const settings_t *s)
{
    return s->temperature != 1;
}
static void temperature(const settings_t *s, const context_t *c, float *scores,
                        const scratch_t *scratch)
{
    (void)c;
    double t = s->temperature, max = (double)heed_logits_max(scores, scratch->vocabulary);
    if (!isfinite(max)) return; /* nothing can be drawn: choose.h reports it */
    bool fits = heed_logits_factor(t) == (double)(float)t && fabs(max) / t <= (double)FLT_MAX;
    for (int64_t i = 0; i < scratch->vocabulary; i++) {
        if (fits) scores[i] /= (float)t;
        else scores[i] = heed_logits_changed(scores[i], ((double)scores[i] - max) / t);
    }
}

/* Considers the 100 likeliest tokens alone. Sums the terms -p ln p of their entropy from the
   likeliest on and keeps tokens as long as the sum is at most top_h of the whole entropy. The
   likeliest always stays. Source: Potraghloo et al. 2025, "Top-H decoding". */
static bool wants_top_h(const settings_t *s)
{
    return s->top_h > 0;
}
static void top_h(const settings_t *s, const context_t *c, float *scores, const scratch_t *scratch)
{
    (void)c;
    int64_t vocabulary = scratch->vocabulary, kept = 1;
    int64_t count = heed_logits_top(scores, vocabulary, 100, scratch->order);
    double first = (double)scores[scratch->order[0]], sum = 0, entropy = 0, part = 0;
    for (int64_t i = 0; i < count; i++) sum += exp((double)scores[scratch->order[i]] - first);
    for (int pass = 0; pass < 2; pass++)
        for (int64_t i = 0; i < count; i++) {
            double log_p = (double)scores[scratch->order[i]] - first - log(sum),
                   term = isinf(log_p) ? 0 : -exp(log_p) * log_p;
            if (pass == 0) entropy += term;
            else part += term;
            if (pass == 1 && part <= entropy * s->top_h) kept = i + 1;
        }
    for (int64_t i = 0; i < vocabulary; i++) {
        scratch->values[i] = scores[i];
        scores[i] = -INFINITY;
    }
    for (int64_t i = 0; i < kept; i++)
        scores[scratch->order[i]] = scratch->values[scratch->order[i]];
}

/* Returns the value of the count-th largest score. */
static float nth_largest(const float *scores, int64_t count, const scratch_t *scratch)
{
    int64_t left = scratch->vocabulary;
    int32_t id = 0;
    heed_logits_heap_make(scratch->order, left, scores);
    for (int64_t i = 0; i < count; i++) id = heed_logits_heap_pop(scratch->order, &left, scores);
    return scores[id];
}

/* Keeps the top_k likeliest tokens, and those equal to the last of them. */
static bool wants_top_k(const settings_t *s)
{
    return s->top_k > 0;
}
static void top_k(const settings_t *s, const context_t *c, float *scores, const scratch_t *scratch)
{
    int64_t count = kept_at_least(c, scratch);
    if (s->top_k > count) count = s->top_k;
    if (count > scratch->vocabulary) count = scratch->vocabulary;
    float least = nth_largest(scores, count, scratch);
    for (int64_t i = 0; i < scratch->vocabulary; i++)
        if (scores[i] < least) scores[i] = -INFINITY;
}

/* Keeps the smallest set of likeliest tokens whose probabilities reach top_p. Source: Holtzman et
   al. 2020. */
static bool wants_top_p(const settings_t *s)
{
    return s->top_p < 1;
}
static void top_p(const settings_t *s, const context_t *c, float *scores, const scratch_t *scratch)
{
    int64_t left = scratch->vocabulary, keep = kept_at_least(c, scratch);
    double total = heed_logits_log_sum_exp(scores, left), mass = 0;
    heed_logits_heap_make(scratch->order, left, scores);
    for (int64_t kept = 0; left > 0 && (kept < keep || mass < s->top_p); kept++)
        mass += exp((double)scores[heed_logits_heap_pop(scratch->order, &left, scores)] - total);
    for (int64_t i = 0; i < left; i++) scores[scratch->order[i]] = -INFINITY;
}

/* Keeps tokens at least min_p times as likely as the likeliest. Source: Nguyen et al. 2024. */
static bool wants_min_p(const settings_t *s)
{
    return s->min_p > 0;
}
static void min_p(const settings_t *s, const context_t *c, float *scores, const scratch_t *scratch)
{
    int64_t keep = kept_at_least(c, scratch);
    float max = heed_logits_max(scores, scratch->vocabulary),
          least = keep > 1 ? nth_largest(scores, keep, scratch) : max;
    double ratio = log(s->min_p);
    for (int64_t i = 0; i < scratch->vocabulary; i++)
        if ((double)scores[i] - (double)max < ratio && scores[i] < least) scores[i] = -INFINITY;
}

/* Returns -sum p ln p, where `total` is ln(sum(exp(scores))). */
static double entropy_of(const float *scores, double total, int64_t vocabulary)
{
    double entropy = 0;
    for (int64_t i = 0; i < vocabulary; i++) {
        double log_p = (double)scores[i] - total;
        if (!isinf(log_p)) entropy -= exp(log_p) * log_p;
    }
    return entropy;
}

/* Keeps the tokens whose surprise -ln p is nearest to the expected surprise (the entropy), until
   their probabilities reach typical_p. Source: Meister et al. 2022. */
static bool wants_typical(const settings_t *s)
{
    return s->typical_p < 1;
}
static void typical(const settings_t *s, const context_t *c, float *scores,
                    const scratch_t *scratch)
{
    int64_t left = scratch->vocabulary, keep = kept_at_least(c, scratch), kept = 0;
    double total = heed_logits_log_sum_exp(scores, left), entropy = entropy_of(scores, total, left),
           mass = 0;
    for (int64_t i = 0; i < left; i++)
        scratch->values[i] = heed_logits_changed(0, -fabs(total - (double)scores[i] - entropy));
    heed_logits_heap_make(scratch->order, left, scratch->values);
    float last = 0;
    for (; left > 0 &&
           (kept < keep || mass < s->typical_p || scratch->values[scratch->order[0]] == last);
         kept++) {
        /* Keep a token that is as far from the expected surprise as the last one. */
        if (kept >= keep && mass >= s->typical_p) {
            heed_logits_heap_pop(scratch->order, &left, scratch->values);
            continue;
        }
        int32_t id = heed_logits_heap_pop(scratch->order, &left, scratch->values);
        mass += exp((double)scores[id] - total);
        last = scratch->values[id];
    }
    for (int64_t i = 0; i < left; i++) scores[scratch->order[i]] = -INFINITY;
}

/* Forbids tokens less likely than least_p, but leaves as many of the likeliest as cuts must
   leave. */
static void cut_below(float *scores, double least_p, const context_t *c, const scratch_t *scratch)
{
    double total = heed_logits_log_sum_exp(scores, scratch->vocabulary), least = log(least_p);
    float kept = nth_largest(scores, kept_at_least(c, scratch), scratch);
    for (int64_t i = 0; i < scratch->vocabulary; i++)
        if ((double)scores[i] - total < least && scores[i] < kept) scores[i] = -INFINITY;
}

/* Keeps tokens whose probability is at least epsilon_cutoff. Source: Hewitt, Manning & Liang
   2022. */
static bool wants_epsilon(const settings_t *s)
{
    return s->epsilon_cutoff > 0;
}
static void epsilon(const settings_t *s, const context_t *c, float *scores,
                    const scratch_t *scratch)
{
    cut_below(scores, s->epsilon_cutoff, c, scratch);
}

/* Keeps tokens whose probability is at least min(eta_cutoff, sqrt(eta_cutoff) * exp(-entropy)).
   Source: as for epsilon. */
static bool wants_eta(const settings_t *s)
{
    return s->eta_cutoff > 0;
}
static void eta(const settings_t *s, const context_t *c, float *scores, const scratch_t *scratch)
{
    double entropy = entropy_of(scores, heed_logits_log_sum_exp(scores, scratch->vocabulary),
                                scratch->vocabulary);
    cut_below(scores, fmin(s->eta_cutoff, sqrt(s->eta_cutoff) * exp(-entropy)), c, scratch);
}

/* Replaces scores by log-probabilities: score - ln(sum(exp(scores))). */
static bool wants_renormalize(const settings_t *s)
{
    return s->renormalize;
}
static void renormalize(const settings_t *s, const context_t *c, float *scores,
                        const scratch_t *scratch)
{
    (void)s;
    (void)c;
    double total = heed_logits_log_sum_exp(scores, scratch->vocabulary);
    if (!isfinite(total)) return; /* all are forbidden, or the model's logits are not finite */
    for (int64_t i = 0; i < scratch->vocabulary; i++)
        scores[i] = heed_logits_changed(scores[i], (double)scores[i] - total);
}

const heed_logits_processor heed_logits_cuts[] = {
    {"temperature", true, wants_temperature, temperature},
    {"top_h", true, wants_top_h, top_h},
    {"top_k", true, wants_top_k, top_k},
    {"top_p", true, wants_top_p, top_p},
    {"min_p", true, wants_min_p, min_p},
    {"typical_p", true, wants_typical, typical},
    {"epsilon_cutoff", true, wants_epsilon, epsilon},
    {"eta_cutoff", true, wants_eta, eta},
    {"renormalize_logits", false, wants_renormalize, renormalize},
};
const size_t heed_logits_cut_count = sizeof heed_logits_cuts / sizeof *heed_logits_cuts;
