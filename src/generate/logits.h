/* logits.h: processors that change the scores of the next token, in the order and by the formulas of transformers 5.23
   (generation/logits_process.py), and the choice of a token from what they leave. Processor, choice and search know nothing of each
   other. */
#ifndef HEED_GENERATE_LOGITS_H
#define HEED_GENERATE_LOGITS_H

#include "base/rng.h"
#include "generate/settings.h"

/* The sequence whose next token is scored. */
typedef struct heed_logits_context {
    const int32_t *ids;    /* all ids so far: prompt, or decoder start, and new tokens */
    int64_t count, prompt; /* how many, and how many of them were given */
    const int32_t *source; /* of an encoder-decoder */
    int64_t source_count;
    int64_t max_length;    /* ids at most, for the forced end */
    int64_t keep;          /* tokens that cuts leave at least; 0: 1 */
} heed_logits_context;

/* Working memory for rows of V scores. */
typedef struct heed_logits_scratch { float *values; int32_t *order; int64_t vocabulary; } heed_logits_scratch;
heed_status heed_logits_scratch_new(heed_logits_scratch *scratch, int64_t vocabulary, heed_error *error);
void heed_logits_scratch_free(heed_logits_scratch *scratch);

typedef struct heed_logits_processor {
    const char *name;
    bool sampling; /* only where tokens are drawn */
    bool (*wanted)(const heed_generation_settings *settings);
    void (*apply)(const heed_generation_settings *settings, const heed_logits_context *context, float *scores /* (V) */,
                  const heed_logits_scratch *scratch);
} heed_logits_processor;

/* All processors, in order of application. */
extern const heed_logits_processor heed_logits_processors[];
extern const size_t heed_logits_processor_count;

/* The processors that settings ask for; `sampling` selects those of both kinds. Static memory only. */
typedef struct heed_logits_chain { const heed_logits_processor *processors[32]; size_t count; } heed_logits_chain;
void heed_logits_chain_make(heed_logits_chain *chain, const heed_generation_settings *settings, bool sampling);
void heed_logits_chain_apply(const heed_logits_chain *chain, const heed_generation_settings *settings,
                             const heed_logits_context *context, float *scores, const heed_logits_scratch *scratch);

/* The first of the largest scores. HEED_E_ARG when one is NaN or all are -infinity. */
heed_status heed_choose_greedy(const float *scores, int64_t vocabulary, int32_t *id, heed_error *error);
/* Draws from softmax(scores), walking the ids in ascending order. One number of the stream a call. */
heed_status heed_choose_sample(const float *scores, int64_t vocabulary, heed_rng *rng, int32_t *id, heed_error *error);
/* ln(sum(exp(scores))), in double, ascending. */
double heed_log_sum(const float *scores, int64_t vocabulary);
/* Ids of the `count` largest scores, largest first, equal ones by id. order (V) is scratch; returns how many there are. */
int64_t heed_largest(const float *scores, int64_t vocabulary, int64_t count, int32_t *order);

#endif
