/* logits_case.h: the logits processors that a generation_config.json asks for, applied to
   scores. */
#ifndef HEED_TESTS_GENERATE_LOGITS_CASE_H
#define HEED_TESTS_GENERATE_LOGITS_CASE_H

#include "generate/logits.h"
#include "support/oracle.h"

/* Applies the processors of these kinds that `config` asks for to the scores of a vocabulary. */
static inline void apply_processors(const char *config, unsigned kinds,
                                    const heed_logits_context *context, float *scores,
                                    int64_t vocabulary)
{
    heed_generation_settings settings;
    heed_generation_settings_default(&settings);
    json_t *json = NULL;
    assert_ok(heed_json_parse(&json, config, strlen(config), "case", &error));
    assert_ok(heed_generation_settings_read(&settings, json, "case", &error));
    heed_logits_scratch scratch;
    assert_ok(heed_logits_scratch_new(&scratch, vocabulary, &error));
    heed_logits_chain chain;
    heed_logits_chain_make(&chain, &settings, kinds);
    heed_logits_chain_apply(&chain, &settings, context, scores, &scratch);
    heed_logits_scratch_free(&scratch);
    json_decref(json);
    heed_generation_settings_free(&settings);
}

#endif
