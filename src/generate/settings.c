#include "generate/settings_internal.h"

#include "base/memory.h"
#include "base/utf8.h"
#include <stdlib.h>
#include <string.h>

/* ---- lists ---- */

heed_status heed_id_list_set(heed_id_list *list, const int32_t *ids, size_t count,
                             heed_error *error)
{
    int32_t *copy = heed_allocate(count + 1, sizeof *copy);
    if (!copy) return heed_fail_memory(error, (count + 1) * sizeof *copy, "a list of ids");
    if (count) memcpy(copy, ids, count * sizeof *copy);
    free(list->ids);
    *list = (heed_id_list){copy, count};
    return HEED_OK;
}

bool heed_id_list_has(const heed_id_list *list, int64_t id)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->ids[i] == id) return true;
    return false;
}

bool heed_id_table_add(heed_id_table *table, const int32_t *ids, size_t count, float weight)
{
    size_t begin = table->count ? table->ends[table->count - 1] : 0;
    if (!heed_grow(&table->ids, &table->id_capacity, begin + count + 1, sizeof *table->ids) ||
        !heed_grow(&table->ends, &table->end_capacity, table->count + 1, sizeof *table->ends) ||
        !heed_grow(&table->weights, &table->weight_capacity, table->count + 1,
                   sizeof *table->weights))
        return false;
    if (count) memcpy(table->ids + begin, ids, count * sizeof *ids);
    table->ends[table->count] = begin + count;
    table->weights[table->count++] = weight;
    return true;
}

void heed_id_table_free(heed_id_table *table)
{
    free(table->ids);
    free(table->ends);
    free(table->weights);
    *table = (heed_id_table){0};
}

heed_status heed_generation_settings_add_stop(heed_generation_settings *settings, const char *text,
                                              heed_error *error)
{
    if (!*text)
        return heed_fail(error, HEED_E_ARG,
                         "a stop string is empty: expected at least one character");
    for (size_t at = 0, length = strlen(text); at < length;) {
        uint32_t point;
        bool valid;
        at += heed_utf8_next(text + at, length - at, &point, &valid);
        if (!valid)
            return heed_fail(
                error, HEED_E_ARG,
                "a stop string is not valid UTF-8, so that text never holds it: \"%.80s\"", text);
    }
    char **stop = realloc(settings->stop, (settings->stop_count + 1) * sizeof *stop);
    if (!stop)
        return heed_fail_memory(error, (settings->stop_count + 1) * sizeof *stop, "stop strings");
    settings->stop = stop;
    stop[settings->stop_count] = heed_string_copy(text);
    if (!stop[settings->stop_count])
        return heed_fail_memory(error, strlen(text) + 1, "a stop string");
    settings->stop_count++;
    return HEED_OK;
}

void heed_generation_settings_default(heed_generation_settings *settings)
{
    *settings = (heed_generation_settings){
        .temperature = 1,
        .top_p = 1,
        .typical_p = 1,
        .repetition_penalty = 1,
        .encoder_repetition_penalty = 1,
        .forced_bos = -1,
        .decay_start = -1,
        .decay_factor = 1,
        .beams = 1,
        .length_penalty = 1,
        .returned = 1,
        .log_probabilities = -1,
        .bos = -1,
        .pad = -1,
        .decoder_start = -1,
    };
}

void heed_generation_settings_free(heed_generation_settings *settings)
{
    heed_id_table_free(&settings->bad_words);
    heed_bad_texts_free(settings->bad_texts);
    heed_id_table_free(&settings->sequence_bias);
    free(settings->suppress.ids);
    free(settings->begin_suppress.ids);
    free(settings->forced_eos.ids);
    free(settings->eos.ids);
    for (size_t i = 0; i < settings->stop_count; i++) free(settings->stop[i]);
    free(settings->stop);
    heed_buffer_free(&settings->notes);
    heed_generation_settings_default(settings);
}

/* ---- the whole ---- */

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

static size_t table_length(const heed_id_table *table)
{
    return table->count ? table->ends[table->count - 1] : 0;
}

heed_status heed_generation_settings_check(const heed_generation_settings *settings,
                                           const heed_config *config, heed_error *error)
{
    int64_t vocabulary = config->vocabulary;
    HEED_TRY(heed_generation_settings_check_ranges(settings, error));
    int32_t forced_bos = (int32_t)settings->forced_bos, start = (int32_t)settings->decoder_start;
    HEED_TRY(check_ids(&forced_bos, settings->forced_bos >= 0, "forced_bos_token_id", vocabulary,
                       error));
    HEED_TRY(check_ids(settings->forced_eos.ids, settings->forced_eos.count, "forced_eos_token_id",
                       vocabulary, error));
    HEED_TRY(check_ids(settings->bad_words.ids, table_length(&settings->bad_words), "bad_words_ids",
                       vocabulary, error));
    HEED_TRY(check_ids(settings->sequence_bias.ids, table_length(&settings->sequence_bias),
                       "sequence_bias", vocabulary, error));
    if (config->arrangement == HEED_ENCODER_DECODER) {
        if (settings->decoder_start < 0)
            return heed_fail(error, HEED_E_ARG,
                             "an encoder-decoder needs decoder_start_token_id or bos_token_id in "
                             "generation_config.json "
                             "or config.json");
        HEED_TRY(check_ids(&start, 1, "decoder_start_token_id", vocabulary, error));
    }
    if (settings->log_probabilities < -1 || settings->log_probabilities > vocabulary)
        return heed_fail(error, HEED_E_ARG,
                         "log-probabilities of %lld tokens are asked for, expected 0 to %lld",
                         (long long)settings->log_probabilities, (long long)vocabulary);
    if (settings->beams > 1 && settings->returned > settings->beams)
        return heed_fail(error, HEED_E_ARG,
                         "%lld sequences from %lld beams: expected at most as many as beams",
                         (long long)settings->returned, (long long)settings->beams);
    if (settings->beams == 1 && settings->returned > 1 &&
        !(settings->sample && settings->temperature > 0))
        return heed_fail(error, HEED_E_ARG,
                         "%lld sequences of the most likely tokens would all be the same: sample "
                         "(a temperature above 0) "
                         "or use beams",
                         (long long)settings->returned);
    return HEED_OK;
}
