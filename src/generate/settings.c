/* settings.c: the built-in settings of generation, and lists and tables of ids. */
#include "generate/settings.h"

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
