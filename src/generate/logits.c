/* logits.c: makes the chain of processors that settings ask for and applies it. */
#include "generate/logits.h"
#include "base/memory.h"
#include "generate/logits_internal.h"
#include <stdlib.h>

heed_status heed_logits_scratch_new(heed_logits_scratch *scratch, int64_t vocabulary,
                                    heed_error *error)
{
    *scratch = (heed_logits_scratch){heed_allocate((size_t)vocabulary, sizeof(float)),
                                     heed_allocate((size_t)vocabulary, sizeof(int32_t)),
                                     vocabulary};
    if (scratch->values && scratch->order) return HEED_OK;
    heed_logits_scratch_free(scratch);
    return heed_fail_memory(error, 2 * (size_t)vocabulary * sizeof(float), "scratch for scores");
}

void heed_logits_scratch_free(heed_logits_scratch *scratch)
{
    free(scratch->values);
    free(scratch->order);
    *scratch = (heed_logits_scratch){0};
}

/* Appends the processors of a table that are of these kinds and that the settings ask for. */
static void add_wanted(heed_logits_chain *chain, const heed_logits_processor *table, size_t count,
                       const heed_generation_settings *settings, unsigned kinds)
{
    for (size_t i = 0; i < count && chain->count < HEED_LOGITS_CHAIN; i++) {
        unsigned kind = table[i].sampling ? HEED_LOGITS_SAMPLING : HEED_LOGITS_ALWAYS;
        if ((kinds & kind) && table[i].wanted(settings))
            chain->processors[chain->count++] = &table[i];
    }
}

void heed_logits_chain_make(heed_logits_chain *chain, const heed_generation_settings *settings,
                            unsigned kinds)
{
    chain->count = 0;
    add_wanted(chain, heed_logits_penalties, heed_logits_penalty_count, settings, kinds);
    add_wanted(chain, heed_logits_cuts, heed_logits_cut_count, settings, kinds);
}

void heed_logits_chain_apply(const heed_logits_chain *chain,
                             const heed_generation_settings *settings,
                             const heed_logits_context *context, float *scores,
                             const heed_logits_scratch *scratch)
{
    for (size_t i = 0; i < chain->count; i++)
        chain->processors[i]->apply(settings, context, scores, scratch);
}
