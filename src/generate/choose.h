/* choose.h: chooses one token from a row of scores and computes its probability. */
#ifndef HEED_GENERATE_CHOOSE_H
#define HEED_GENERATE_CHOOSE_H

#include "base/error.h"
#include "base/rng.h"
#include <stdbool.h>

/* Returns HEED_OK if a token can be drawn from the scores (V). HEED_E_ARG if the model's logits are
   not finite or if the settings forbid every token. The first shows as a score of NaN or +infinity,
   which processors never make; the second as scores that are all -infinity. */
heed_status heed_logits_check(const float *scores, int64_t vocabulary, heed_error *error);
/* Returns in *id the largest score (V), the first if several are equal; +infinity counts.
   HEED_E_ARG if a score is NaN or all are -infinity. */
heed_status heed_choose_greedy(const float *scores, int64_t vocabulary, int32_t *id,
                               heed_error *error);
/* Draws *id from softmax(scores), walking the ids in ascending order. Each call takes one number of
   the stream. Errors as for heed_logits_check. */
heed_status heed_choose_sample(const float *scores, int64_t vocabulary, heed_rng *rng, int32_t *id,
                               heed_error *error);

/* Returns ln(sum(exp(scores))) over scores (V), summed in double by ascending id. */
double heed_logits_log_sum_exp(const float *scores, int64_t vocabulary);
/* Computes ln(softmax(logits))[id] in nats. HEED_E_ARG if the model's logits are not finite; a
   single -infinity is allowed and means the probability 0. */
heed_status heed_logits_log_probability(const float *logits, int64_t vocabulary, int32_t id,
                                        double *log_probability, heed_error *error);
/* Returns the largest score (V); -infinity if no score is larger than that. */
float heed_logits_max(const float *scores, int64_t vocabulary);
/* Writes the ids of the `count` largest scores to order (V), largest first, equal ones by id.
   Returns how many there are; the rest of `order` is scratch. */
int64_t heed_logits_top(const float *scores, int64_t vocabulary, int64_t count, int32_t *order);

/* heed_logits_heap_make makes a heap of the ids [0,count). The id with the largest key is on top;
   if keys are equal, the smaller id. heed_logits_heap_pop returns the top, reduces *count and
   stores the top after the heap, so that the popped ids stand there with the first one last. */
void heed_logits_heap_make(int32_t *heap, int64_t count, const float *keys);
int32_t heed_logits_heap_pop(int32_t *heap, int64_t *count, const float *keys);

#endif
