/* choose.c: chooses the likeliest token or draws one. */
#include "generate/choose.h"
#include <math.h>

float heed_logits_max(const float *scores, int64_t vocabulary)
{
    float max = -INFINITY;
    for (int64_t i = 0; i < vocabulary; i++) max = scores[i] > max ? scores[i] : max;
    return max;
}

double heed_logits_log_sum_exp(const float *scores, int64_t vocabulary)
{
    double max = (double)heed_logits_max(scores, vocabulary), sum = 0;
    if (isinf(max)) return max;
    for (int64_t i = 0; i < vocabulary; i++) sum += exp((double)scores[i] - max);
    return max + log(sum);
}

/* Does id `a` belong above id `b` in the heap? */
static bool above(const float *keys, int32_t a, int32_t b)
{
    return keys[a] > keys[b] || (keys[a] == keys[b] && a < b);
}

/* Moves the id at place `at` down until no child belongs above it. */
static void sift(int32_t *heap, int64_t count, int64_t at, const float *keys)
{
    int32_t moving = heap[at];
    for (int64_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && above(keys, heap[child + 1], heap[child])) child++;
        if (above(keys, moving, heap[child])) break;
        heap[at] = heap[child];
    }
    heap[at] = moving;
}

void heed_logits_heap_make(int32_t *heap, int64_t count, const float *keys)
{
    for (int64_t i = 0; i < count; i++) heap[i] = (int32_t)i;
    for (int64_t i = count / 2; i-- > 0;) sift(heap, count, i, keys);
}

int32_t heed_logits_heap_pop(int32_t *heap, int64_t *count, const float *keys)
{
    int32_t top = heap[0];
    heap[0] = heap[--*count];
    heap[*count] = top;
    sift(heap, *count, 0, keys);
    return top;
}

int64_t heed_logits_top(const float *scores, int64_t vocabulary, int64_t count, int32_t *order)
{
    int64_t left = vocabulary;
    if (count > vocabulary) count = vocabulary;
    heed_logits_heap_make(order, vocabulary, scores);
    for (int64_t i = 0; i < count; i++) heed_logits_heap_pop(order, &left, scores);
    for (int64_t i = 0, j = vocabulary - 1; i < j; i++, j--) {
        int32_t swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
    return count;
}

heed_status heed_logits_check(const float *scores, int64_t vocabulary, heed_error *error)
{
    bool possible = false;
    for (int64_t i = 0; i < vocabulary; i++) {
        const char *name = isnan(scores[i]) ? "NaN" : "an infinite value";
        if (isnan(scores[i]) || scores[i] == INFINITY)
            return heed_fail(error, HEED_E_ARG,
                             "the model's logits hold %s (of token %lld first): its weights or "
                             "activations are not finite; --nan-guard names the place",
                             name, (long long)i);
        possible |= !isinf(scores[i]);
    }
    if (possible) return HEED_OK;
    return heed_fail(error, HEED_E_ARG,
                     "no token can be chosen: all are forbidden by the settings (bad words, "
                     "suppressed tokens, n-grams that may not repeat, logit bias), or the model's "
                     "logits are all -infinity");
}

heed_status heed_logits_log_probability(const float *logits, int64_t vocabulary, int32_t id,
                                        double *log_probability, heed_error *error)
{
    double total = heed_logits_log_sum_exp(logits, vocabulary);
    *log_probability = (double)logits[id] - total;
    return isfinite(total) ? HEED_OK : heed_logits_check(logits, vocabulary, error);
}

heed_status heed_choose_greedy(const float *scores, int64_t vocabulary, int32_t *id,
                               heed_error *error)
{
    float max = -INFINITY;
    int64_t best = -1;
    bool broken = false;
    for (int64_t i = 0; i < vocabulary; i++) {
        broken |= isnan(scores[i]);
        if (scores[i] > max) {
            max = scores[i];
            best = i;
        }
    }
    *id = (int32_t)best;
    return broken || best < 0 ? heed_logits_check(scores, vocabulary, error) : HEED_OK;
}

heed_status heed_choose_sample(const float *scores, int64_t vocabulary, heed_rng *rng, int32_t *id,
                               heed_error *error)
{
    double max = (double)heed_logits_max(scores, vocabulary), total = 0, part = 0,
           threshold = heed_rng_uniform(rng);
    for (int64_t i = 0; i < vocabulary; i++)
        if (!isinf(scores[i])) total += exp((double)scores[i] - max);
    *id = -1;
    if (!isfinite(max) || !isfinite(total)) return heed_logits_check(scores, vocabulary, error);
    threshold *= total;
    for (int64_t i = 0; i < vocabulary; i++) {
        if (isinf(scores[i])) continue;
        double p = exp((double)scores[i] - max);
        /* Rounding may leave the sum below the threshold. Then the last possible token is drawn. */
        if (p > 0) *id = (int32_t)i;
        part += p;
        if (part > threshold) break;
    }
    return HEED_OK;
}
