/* logits.h: processors that change the scores of the next token, in the order and by the formulas
   of transformers 5.23 (generation/logits_process.py). Processors, choice (choose.h) and search
   know nothing of each other. */
#ifndef HEED_GENERATE_LOGITS_H
#define HEED_GENERATE_LOGITS_H

#include "generate/settings.h"

/* The sequence whose next token is scored. */
typedef struct heed_logits_context {
    const int32_t *ids;    /* all ids so far: prompt, or decoder start, and new tokens */
    int64_t count, prompt; /* how many, and how many of them were given */
    const int32_t *source; /* of an encoder-decoder */
    int64_t source_count;
    int64_t max_length; /* ids at most, for the forced end */
    int64_t keep;       /* tokens that cuts leave at least; 0: 1 */
} heed_logits_context;

/* Working memory for rows of V scores. */
typedef struct heed_logits_scratch {
    float *values;
    int32_t *order;
    int64_t vocabulary;
} heed_logits_scratch;
heed_status heed_logits_scratch_new(heed_logits_scratch *scratch, int64_t vocabulary,
                                    heed_error *error);
void heed_logits_scratch_free(heed_logits_scratch *scratch);

typedef struct heed_logits_processor {
    const char *name;
    bool sampling; /* only where tokens are drawn */
    bool (*wanted)(const heed_generation_settings *settings);
    void (*apply)(const heed_generation_settings *settings, const heed_logits_context *context,
                  float *scores /* (V) */, const heed_logits_scratch *scratch);
} heed_logits_processor;

/* The processors that settings ask for, in order of application. */
enum { HEED_LOGITS_CHAIN = 32, HEED_LOGITS_ALWAYS = 1, HEED_LOGITS_SAMPLING = 2 };
typedef struct heed_logits_chain {
    const heed_logits_processor *processors[HEED_LOGITS_CHAIN];
    size_t count;
} heed_logits_chain;
/* kinds: HEED_LOGITS_ALWAYS for those that act however tokens are chosen, HEED_LOGITS_SAMPLING for
   temperature and cuts, or both. */
void heed_logits_chain_make(heed_logits_chain *chain, const heed_generation_settings *settings,
                            unsigned kinds);
void heed_logits_chain_apply(const heed_logits_chain *chain,
                             const heed_generation_settings *settings,
                             const heed_logits_context *context, float *scores,
                             const heed_logits_scratch *scratch);

#endif
