/* settings_check.c: checks that settings are within their bounds, that the vocabulary has their ids
   and that they can be combined. */
#include "generate/settings_internal.h"

/* Returns HEED_E_ARG if an id is not in the vocabulary; `name` begins the message. */
static heed_status check_ids(const int32_t *ids, size_t count, const char *name, int64_t vocabulary,
                             heed_error *error)
{
    for (size_t i = 0; i < count; i++)
        if (ids[i] < 0 || ids[i] >= vocabulary)
            return heed_fail(error, HEED_E_ARG,
                             "%s names the id %d, but the model's vocabulary has the ids 0 to %lld",
                             name, ids[i], (long long)vocabulary - 1);
    return HEED_OK;
}

/* Returns the number of ids in all sequences of a table. */
static size_t table_length(const heed_id_table *table)
{
    return table->count ? table->ends[table->count - 1] : 0;
}

/* Checks that the vocabulary has the ids that are forced, biased or part of bad words, and an
   encoder-decoder's start. Ids that end a text, and those of the suppress lists, may be outside
   it. */
static heed_status check_all_ids(const heed_generation_settings *settings,
                                 const heed_config *config, heed_error *error)
{
    int64_t vocabulary = config->vocabulary;
    int32_t forced_bos = (int32_t)settings->forced_bos, start = (int32_t)settings->decoder_start;
    HEED_TRY(check_ids(&forced_bos, settings->forced_bos >= 0, "forced_bos_token_id", vocabulary,
                       error));
    HEED_TRY(check_ids(settings->forced_eos.ids, settings->forced_eos.count, "forced_eos_token_id",
                       vocabulary, error));
    HEED_TRY(check_ids(settings->bad_words.ids, table_length(&settings->bad_words), "bad_words_ids",
                       vocabulary, error));
    HEED_TRY(check_ids(settings->sequence_bias.ids, table_length(&settings->sequence_bias),
                       "sequence_bias", vocabulary, error));
    if (config->arrangement != HEED_ENCODER_DECODER) return HEED_OK;
    if (settings->decoder_start < 0)
        return heed_fail(error, HEED_E_ARG,
                         "an encoder-decoder needs decoder_start_token_id or bos_token_id in "
                         "generation_config.json or config.json");
    return check_ids(&start, 1, "decoder_start_token_id", vocabulary, error);
}

/* Returns HEED_E_ARG if the search cannot give as many different sequences as are asked for. */
static heed_status check_returned(const heed_generation_settings *settings, heed_error *error)
{
    bool samples = settings->sample && settings->temperature > 0;
    if (settings->beams > 1 && settings->returned > settings->beams)
        return heed_fail(error, HEED_E_ARG,
                         "%lld sequences from %lld beams: expected at most as many as beams",
                         (long long)settings->returned, (long long)settings->beams);
    if (settings->beams == 1 && settings->returned > 1 && !samples)
        return heed_fail(error, HEED_E_ARG,
                         "%lld sequences of the most likely tokens would all be the same: sample "
                         "(a temperature above 0) or use beams",
                         (long long)settings->returned);
    return HEED_OK;
}

heed_status heed_generation_settings_check(const heed_generation_settings *settings,
                                           const heed_config *config, heed_error *error)
{
    HEED_TRY(heed_generation_settings_check_ranges(settings, error));
    HEED_TRY(check_all_ids(settings, config, error));
    if (settings->log_probabilities < -1 || settings->log_probabilities > config->vocabulary)
        return heed_fail(error, HEED_E_ARG,
                         "log-probabilities of %lld tokens are asked for, expected 0 to %lld",
                         (long long)settings->log_probabilities, (long long)config->vocabulary);
    return check_returned(settings, error);
}
