/* choose.h: one token out of a row of scores, and what its probability is. */
#ifndef HEED_GENERATE_CHOOSE_H
#define HEED_GENERATE_CHOOSE_H

#include "base/error.h"
#include "base/rng.h"
#include <stdbool.h>

/* HEED_OK if a token can be drawn from the scores (V). HEED_E_ARG if the model's logits are not
   finite (a score is NaN or +infinity: processors make neither) or if the settings forbid every
   token (all scores are -infinity). */
heed_status heed_logits_check(const float *scores, int64_t vocabulary, heed_error *error);
/* The first of the largest scores (V), +infinity included. HEED_E_ARG if one is NaN or all are
   -infinity. */
heed_status heed_choose_greedy(const float *scores, int64_t vocabulary, int32_t *id,
                               heed_error *error);
/* Draws from softmax(scores), walking the ids in ascending order. One number of the stream a call.
   Errors as above. */
heed_status heed_choose_sample(const float *scores, int64_t vocabulary, heed_rng *rng, int32_t *id,
                               heed_error *error);

/* ln(sum(exp(scores))), in double, ascending. */
double heed_logits_log_sum_exp(const float *scores, int64_t vocabulary);
/* ln(softmax(logits))[id] in nats. HEED_E_ARG if the model's logits are not finite; a single
   -infinity is the probability 0. */
heed_status heed_logits_log_probability(const float *logits, int64_t vocabulary, int32_t id,
                                        double *log_probability, heed_error *error);
float heed_logits_max(const float *scores, int64_t vocabulary);
/* Ids of the `count` largest scores, largest first, equal ones by id. order (V) is scratch; returns
   how many there are. */
int64_t heed_logits_top(const float *scores, int64_t vocabulary, int64_t count, int32_t *order);

/* A heap of the ids [0,count), the one with the largest key on top; of equal keys the smaller id.
   Popping moves the top after the heap, so that the ids taken stand there, the first taken last. */
void heed_logits_heap_make(int32_t *heap, int64_t count, const float *keys);
int32_t heed_logits_heap_pop(int32_t *heap, int64_t *count, const float *keys);

#endif
