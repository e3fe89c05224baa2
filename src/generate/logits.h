/* logits.h: processors change the scores of the next token, in the order and by the formulas of
   transformers 5.23 (generation/logits_process.py). Processors, choice (choose.h) and search do not
   depend on each other. */
#ifndef HEED_GENERATE_LOGITS_H
#define HEED_GENERATE_LOGITS_H

#include "generate/settings.h"

/* The sequence whose next token is scored. */
typedef struct heed_logits_context {
    const int32_t *ids;    /* (count) all ids so far: prompt or decoder start, and new tokens */
    int64_t count, prompt; /* the number of ids; how many of them were given */
    const int32_t *source; /* (source_count) ids of an encoder-decoder's source */
    int64_t source_count;
    int64_t max_length; /* the most ids of the sequence, for the forced end */
    int64_t keep;       /* the fewest tokens that cuts leave; 0 means 1 */
} heed_logits_context;

/* Working memory of processors: two rows of V numbers. */
typedef struct heed_logits_scratch {
    float *values;
    int32_t *order;
    int64_t vocabulary;
} heed_logits_scratch;
/* Allocates the rows. HEED_E_NOMEM; free in every case. */
heed_status heed_logits_scratch_new(heed_logits_scratch *scratch, int64_t vocabulary,
                                    heed_error *error);
void heed_logits_scratch_free(heed_logits_scratch *scratch);

/* One processor as a row of a table. */
typedef struct heed_logits_processor {
    const char *name;
    bool sampling; /* applied only where tokens are drawn */
    bool (*wanted)(const heed_generation_settings *settings);
    void (*apply)(const heed_generation_settings *settings, const heed_logits_context *context,
                  float *scores /* (V) */, const heed_logits_scratch *scratch);
} heed_logits_processor;

/* The processors that settings ask for, in the order in which they are applied. */
enum { HEED_LOGITS_CHAIN = 32, HEED_LOGITS_ALWAYS = 1, HEED_LOGITS_SAMPLING = 2 };
typedef struct heed_logits_chain {
    const heed_logits_processor *processors[HEED_LOGITS_CHAIN];
    size_t count;
} heed_logits_chain;
/* Makes the chain for some settings. `kinds` is HEED_LOGITS_ALWAYS for processors that act however
   tokens are chosen, HEED_LOGITS_SAMPLING for temperature and cuts, or both. */
void heed_logits_chain_make(heed_logits_chain *chain, const heed_generation_settings *settings,
                            unsigned kinds);
/* Applies the chain to scores (V) in place. */
void heed_logits_chain_apply(const heed_logits_chain *chain,
                             const heed_generation_settings *settings,
                             const heed_logits_context *context, float *scores,
                             const heed_logits_scratch *scratch);

#endif
