/* settings_read.c: reads generation_config.json by a table of its members, and checks their
   bounds. */
#include "generate/settings_internal.h"

#include "base/file.h"
#include "base/memory.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- members of the file ---- */

/* An object of settings that is being read. */
typedef struct reader {
    heed_generation_settings *settings;
    const json_t *json;
    const char *where;
    heed_error *error;
} reader;

/* Fails with HEED_E_FORMAT: shows the value of a member and what is expected. */
static heed_status fail(const reader *r, const char *key, const char *expected)
{
    heed_buffer text = {0};
    heed_json_put_found(&text, json_object_get(r->json, key));
    heed_status status = text.failed ? heed_fail_memory(r->error, text.length, "a message")
                                     : heed_fail(r->error, HEED_E_FORMAT,
                                                 "%s: \"%s\" is %.80s, expected %s", r->where, key,
                                                 text.data, expected);
    heed_buffer_free(&text);
    return status;
}

/* Returns an id, -1 if the file has -1 ("none"), or -2 if the value is not an id. */
static int64_t id_of(const json_t *value)
{
    if (!json_is_integer(value)) return -2;
    json_int_t id = json_integer_value(value);
    return id < -1 || id > INT32_MAX - 1 ? -2 : (int64_t)id;
}

/* Reads ids from an array into *ids, which the caller frees. -1, which means "none", is left
   out. */
static heed_status read_ids(const reader *r, const char *key, const json_t *array, int32_t **ids,
                            size_t *count)
{
    size_t size = json_array_size(array);
    *count = 0;
    *ids = heed_allocate(size + 1, sizeof **ids);
    if (!*ids) return heed_fail_memory(r->error, (size + 1) * sizeof **ids, key);
    for (size_t i = 0; i < size; i++) {
        int64_t id = id_of(json_array_get(array, i));
        if (id == -2) return fail(r, key, "token ids: integers from 0 to 2147483646");
        if (id >= 0) (*ids)[(*count)++] = (int32_t)id;
    }
    return HEED_OK;
}

/* Reads a list of ids, or a single id, over a list. */
static heed_status read_list(const reader *r, const char *key, heed_id_list *list)
{
    const json_t *value = json_object_get(r->json, key);
    if (!json_is_array(value)) {
        int64_t id = id_of(value);
        int32_t one = (int32_t)id;
        if (id == -2) return fail(r, key, "a token id or a list of token ids");
        return heed_id_list_set(list, &one, id >= 0, r->error);
    }
    int32_t *ids;
    size_t count;
    heed_status status = read_ids(r, key, value, &ids, &count);
    if (status == HEED_OK) status = heed_id_list_set(list, ids, count, r->error);
    free(ids);
    return status;
}

/* Adds one sequence of ids to a table. */
static heed_status add_entry(const reader *r, const char *key, const json_t *list, float weight,
                             const char *expected, heed_id_table *table)
{
    int32_t *ids;
    size_t count;
    heed_status status = read_ids(r, key, list, &ids, &count);
    if (status == HEED_OK && count < json_array_size(list)) status = fail(r, key, expected);
    if (status == HEED_OK && !heed_id_table_add(table, ids, count, weight))
        status = heed_fail_memory(r->error, count * sizeof *ids, key);
    free(ids);
    return status;
}

/* Reads a table: [[1, 2], [3]], or with weights [[[1, 2], -0.5], [[3], 2.0]]. */
static heed_status read_table(const reader *r, const char *key, heed_id_table *table, bool weighted)
{
    const char *expected = weighted ? "a list of pairs [[ids], bias]"
                                    : "a list of lists of token ids, none of them empty";
    const json_t *value = json_object_get(r->json, key), *entry;
    if (!json_is_array(value)) return fail(r, key, expected);
    heed_id_table_free(table);
    size_t i;
    json_array_foreach(value, i, entry)
    {
        const json_t *list = entry;
        float weight = 0;
        if (weighted) {
            const json_t *bias = json_array_get(entry, 1);
            if (json_array_size(entry) != 2 || !json_is_number(bias)) return fail(r, key, expected);
            list = json_array_get(entry, 0);
            weight = (float)json_number_value(bias);
        }
        if (!json_is_array(list) || json_array_size(list) == 0) return fail(r, key, expected);
        HEED_TRY(add_entry(r, key, list, weight, expected, table));
    }
    return HEED_OK;
}

static heed_status read_early_stopping(const reader *r, const char *key)
{
    const json_t *value = json_object_get(r->json, key);
    const char *text = json_string_value(value);
    if (json_is_boolean(value))
        r->settings->early_stopping = json_is_true(value) ? HEED_EARLY_ALWAYS
                                                          : HEED_EARLY_HEURISTIC;
    else if (text && strcmp(text, "never") == 0) r->settings->early_stopping = HEED_EARLY_NEVER;
    else return fail(r, key, "true, false or \"never\"");
    return HEED_OK;
}

/* Reads exponential_decay_length_penalty: [start, factor]. */
static heed_status read_decay(const reader *r, const char *key)
{
    const json_t *value = json_object_get(r->json, key), *start = json_array_get(value, 0),
                 *factor = json_array_get(value, 1);
    if (json_array_size(value) != 2 || !json_is_integer(start) || json_integer_value(start) < 0 ||
        !json_is_number(factor) || !(json_number_value(factor) > 0) ||
        !isfinite(json_number_value(factor)))
        return fail(r, key, "[tokens from which the end becomes likelier, factor above 0]");
    r->settings->decay_start = json_integer_value(start);
    r->settings->decay_factor = json_number_value(factor);
    return HEED_OK;
}

/* Adds the stop strings of the file to those of the settings. */
static heed_status read_stops(const reader *r, const char *key)
{
    const json_t *value = json_object_get(r->json, key);
    bool list = json_is_array(value);
    size_t count = list ? json_array_size(value) : 1;
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(list ? json_array_get(value, i) : value);
        if (!text || !*text)
            return fail(r, key, "a string or a list of strings, none of them empty");
        HEED_TRY(heed_generation_settings_add_stop(r->settings, text, r->error));
    }
    return HEED_OK;
}

/* ---- the table of members ---- */

typedef enum member_kind {
    INTEGER,
    NUMBER,
    BOOLEAN,
    ID,
    LIST,
    TABLE,
    WEIGHTED,
    SPECIAL
} member_kind;

typedef struct member {
    const char *key;
    member_kind kind;
    size_t offset;
    double least, most;                                    /* bounds of INTEGER and NUMBER */
    const char *expected;                                  /* the bounds in words */
    heed_status (*read)(const reader *r, const char *key); /* reads members of kind SPECIAL */
} member;

#define AT(field) offsetof(heed_generation_settings, field)
#define ABOVE_ZERO "a number above 0; 1 is off"
#define OF_FLOAT "a number from -3.4e38 to 3.4e38; 0 is off"

static const member members[] = {
    {"max_new_tokens", INTEGER, AT(max_new_tokens), 1, 1e15, "an integer from 1", NULL},
    {"max_length", INTEGER, AT(max_length), 1, 1e15, "an integer from 1", NULL},
    {"min_new_tokens", INTEGER, AT(min_new_tokens), 0, 1e15, "an integer from 0", NULL},
    {"min_length", INTEGER, AT(min_length), 0, 1e15, "an integer from 0", NULL},
    {"do_sample", BOOLEAN, AT(sample), 0, 0, NULL, NULL},
    {"temperature", NUMBER, AT(temperature), 0, DBL_MAX, "a number from 0", NULL},
    {"top_k", INTEGER, AT(top_k), 0, 1e15, "an integer from 0 (off)", NULL},
    {"top_p", NUMBER, AT(top_p), 0, 1, "a number from 0 to 1 (off)", NULL},
    {"min_p", NUMBER, AT(min_p), 0, 1, "a number from 0 (off) to 1", NULL},
    {"top_h", NUMBER, AT(top_h), 0, 1, "a number from 0 (off) to 1", NULL},
    {"typical_p", NUMBER, AT(typical_p), DBL_TRUE_MIN, 1, "a number above 0, up to 1 (off)", NULL},
    {"epsilon_cutoff", NUMBER, AT(epsilon_cutoff), 0, 1 - DBL_EPSILON,
     "a number from 0 (off), below 1", NULL},
    {"eta_cutoff", NUMBER, AT(eta_cutoff), 0, 1 - DBL_EPSILON, "a number from 0 (off), below 1",
     NULL},
    {"repetition_penalty", NUMBER, AT(repetition_penalty), DBL_TRUE_MIN, DBL_MAX, ABOVE_ZERO, NULL},
    {"encoder_repetition_penalty", NUMBER, AT(encoder_repetition_penalty), DBL_TRUE_MIN, DBL_MAX,
     ABOVE_ZERO, NULL},
    {"presence_penalty", NUMBER, AT(presence_penalty), -FLT_MAX, FLT_MAX, OF_FLOAT, NULL},
    {"frequency_penalty", NUMBER, AT(frequency_penalty), -FLT_MAX, FLT_MAX, OF_FLOAT, NULL},
    {"no_repeat_ngram_size", INTEGER, AT(no_repeat_ngram), 0, 1e15, "an integer from 0 (off)",
     NULL},
    {"encoder_no_repeat_ngram_size", INTEGER, AT(encoder_no_repeat_ngram), 0, 1e15,
     "an integer from 0 (off)", NULL},
    {"bad_words_ids", TABLE, AT(bad_words), 0, 0, NULL, NULL},
    {"sequence_bias", WEIGHTED, AT(sequence_bias), 0, 0, NULL, NULL},
    {"suppress_tokens", LIST, AT(suppress), 0, 0, NULL, NULL},
    {"begin_suppress_tokens", LIST, AT(begin_suppress), 0, 0, NULL, NULL},
    {"forced_bos_token_id", ID, AT(forced_bos), 0, 0, NULL, NULL},
    {"forced_eos_token_id", LIST, AT(forced_eos), 0, 0, NULL, NULL},
    {"remove_invalid_values", BOOLEAN, AT(remove_invalid), 0, 0, NULL, NULL},
    {"renormalize_logits", BOOLEAN, AT(renormalize), 0, 0, NULL, NULL},
    {"exponential_decay_length_penalty", SPECIAL, 0, 0, 0, NULL, read_decay},
    {"num_beams", INTEGER, AT(beams), 1, 1e6, "an integer from 1", NULL},
    {"length_penalty", NUMBER, AT(length_penalty), -1e6, 1e6, "a number from -1e6 to 1e6", NULL},
    {"early_stopping", SPECIAL, 0, 0, 0, NULL, read_early_stopping},
    {"num_return_sequences", INTEGER, AT(returned), 1, 1e6, "an integer from 1", NULL},
    {"stop_strings", SPECIAL, 0, 0, 0, NULL, read_stops},
    {"bos_token_id", ID, AT(bos), 0, 0, NULL, NULL},
    {"pad_token_id", ID, AT(pad), 0, 0, NULL, NULL},
    {"decoder_start_token_id", ID, AT(decoder_start), 0, 0, NULL, NULL},
    {"eos_token_id", LIST, AT(eos), 0, 0, NULL, NULL},
};

/* Members that change what transformers writes but have no effect in heed. */
static const char *const without_effect[] = {
    "penalty_alpha",       "num_beam_groups", "diversity_penalty", "constraints", "force_words_ids",
    "watermarking_config", "guidance_scale",  "token_healing",     "dola_layers", "max_time",
    "forced_decoder_ids",  "xtc_probability", "mirostat"};

static bool in_range(const member *m, double value)
{
    return value >= m->least && value <= m->most;
}

/* Returns what is expected instead of a value out of range. */
static const char *expected_for(const member *m, double value, char text[48])
{
    if (m->kind != INTEGER || value < m->least) return m->expected;
    snprintf(text, 48, "an integer up to %.0f", m->most);
    return text;
}

/* Reads one member, if the object has it and it is not null. */
static heed_status read_member(const reader *r, const member *m)
{
    const json_t *value = json_object_get(r->json, m->key);
    if (!value || json_is_null(value)) return HEED_OK;
    void *field = (char *)r->settings + m->offset;
    switch (m->kind) {
    case INTEGER: {
        int64_t number = 0;
        HEED_TRY(heed_json_integer(r->json, m->key, &number, r->where, r->error));
        char text[48];
        if (!in_range(m, (double)number))
            return fail(r, m->key, expected_for(m, (double)number, text));
        *(int64_t *)field = number;
        return HEED_OK;
    }
    case NUMBER: {
        double number = 0;
        HEED_TRY(heed_json_number(r->json, m->key, &number, r->where, r->error));
        if (!in_range(m, number)) return fail(r, m->key, m->expected);
        *(double *)field = number;
        return HEED_OK;
    }
    case BOOLEAN: return heed_json_boolean(r->json, m->key, field, r->where, r->error);
    case ID: {
        int64_t id = id_of(value);
        if (id == -2) return fail(r, m->key, "a token id");
        *(int64_t *)field = id;
        return HEED_OK;
    }
    case LIST: return read_list(r, m->key, field);
    case TABLE: return read_table(r, m->key, field, false);
    case WEIGHTED: return read_table(r, m->key, field, true);
    case SPECIAL: break;
    }
    return m->read(r, m->key);
}

/* Notes the members without effect that are not at a neutral value. */
static void note_without_effect(const reader *r)
{
    for (size_t i = 0; i < sizeof without_effect / sizeof *without_effect; i++) {
        const json_t *value = json_object_get(r->json, without_effect[i]);
        double number = json_number_value(value);
        bool neutral = !value || json_is_null(value) || json_is_false(value) ||
                       (json_is_number(value) && (number == 0 || number == 1)) ||
                       ((json_is_array(value) || json_is_object(value)) &&
                        json_array_size(value) + json_object_size(value) == 0);
        if (!neutral)
            heed_buffer_printf(&r->settings->notes, "%s: \"%s\" has no effect here\n", r->where,
                               without_effect[i]);
    }
}

heed_status heed_generation_settings_read(heed_generation_settings *settings, const json_t *json,
                                          const char *where, heed_error *error)
{
    reader r = {settings, json, where, error};
    if (!json_is_object(json))
        return heed_fail(error, HEED_E_FORMAT, "%s: expected a JSON object", where);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        HEED_TRY(read_member(&r, &members[i]));
    note_without_effect(&r);
    return HEED_OK;
}

/* Reads bos, pad, decoder start and eos: the ids that generation_config.json may leave to
   config.json. */
heed_status heed_generation_settings_read_ids(heed_generation_settings *settings,
                                              const json_t *json, const char *where,
                                              heed_error *error)
{
    reader r = {settings, json, where, error};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        size_t offset = members[i].offset;
        bool special = members[i].kind == ID && offset != AT(forced_bos);
        if (special || offset == AT(eos)) HEED_TRY(read_member(&r, &members[i]));
    }
    return HEED_OK;
}

/* ---- names ---- */

/* Members of GenerationConfig, today's and earlier ones, that decide how transformers works but not
   what it writes. */
static const char *const inert[] = {"assistant_confidence_threshold",
                                    "assistant_early_exit",
                                    "assistant_ensemble_weight",
                                    "assistant_lookbehind",
                                    "cache_config",
                                    "cache_implementation",
                                    "compile_config",
                                    "continuous_batching_config",
                                    "disable_compile",
                                    "is_assistant",
                                    "low_memory",
                                    "max_cache_len",
                                    "max_matching_ngram_size",
                                    "num_assistant_tokens",
                                    "num_assistant_tokens_schedule",
                                    "output_attentions",
                                    "output_hidden_states",
                                    "output_logits",
                                    "output_scores",
                                    "prefill_chunk_size",
                                    "prompt_lookup_num_tokens",
                                    "return_dict_in_generate",
                                    "speculation_type",
                                    "target_lookbehind",
                                    "use_mtp"};

static bool is_among(const char *key, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(key, names[i]) == 0) return true;
    return false;
}

bool heed_generation_has_effect(const char *key)
{
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (strcmp(key, members[i].key) == 0) return true;
    return is_among(key, without_effect, sizeof without_effect / sizeof *without_effect);
}

bool heed_generation_has_key(const char *key)
{
    return heed_generation_has_effect(key) || is_among(key, inert, sizeof inert / sizeof *inert);
}

/* ---- bounds ---- */

/* Returns HEED_E_ARG if a number is outside the bounds of its member. */
static heed_status check_range(const heed_generation_settings *settings, const member *m,
                               heed_error *error)
{
    const void *field = (const char *)settings + m->offset;
    double value = m->kind == INTEGER ? (double)*(const int64_t *)field : *(const double *)field;
    /* In these settings 0 means "not given", while the file must have at least 1. */
    bool unset = value == 0 && (m->offset == AT(max_new_tokens) || m->offset == AT(max_length));
    if (unset || in_range(m, value)) return HEED_OK;
    const char *finite = isfinite(value) ? "" : "a finite value: ";
    char text[48];
    return heed_fail(error, HEED_E_ARG, "%s is %.15g, expected %s%s", m->key, value, finite,
                     expected_for(m, value, text));
}

heed_status heed_generation_settings_check_ranges(const heed_generation_settings *settings,
                                                  heed_error *error)
{
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (members[i].kind == INTEGER || members[i].kind == NUMBER)
            HEED_TRY(check_range(settings, &members[i], error));
    return HEED_OK;
}
