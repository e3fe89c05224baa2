/* load_json.c: builds a tokenizer from the sections of a tokenizer.json. */
#include "text/text_internal.h"

#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

static heed_status read_size(const json_t *json, const char *key, size_t *value, const char *where,
                             heed_error *error)
{
    int64_t number = (int64_t)*value;
    HEED_TRY(heed_json_integer(json, key, &number, where, error));
    if (number < 0 || number > INT32_MAX)
        return heed_fail(error, HEED_E_FORMAT, "%s: \"%s\" is %lld, expected 0 to 2147483647",
                         where, key, (long long)number);
    *value = (size_t)number;
    return HEED_OK;
}

static heed_status read_direction(const json_t *json, bool *left, const char *where,
                                  heed_error *error)
{
    const char *direction = NULL;
    HEED_TRY(heed_json_string(json, "direction", &direction, where, error));
    *left = direction && (!strcmp(direction, "Left") || !strcmp(direction, "left"));
    return HEED_OK;
}

/* Reads the "truncation" section. */
static heed_status read_truncation(heed_tokenizer *tokenizer, const json_t *json, const char *where,
                                   heed_error *error)
{
    static const char *const strategies[] = {"LongestFirst", "OnlyFirst", "OnlySecond"};
    const char *strategy = strategies[0];
    heed_truncation *truncation = &tokenizer->truncation;
    if (!json || json_is_null(json)) return HEED_OK;
    if (!json_is_object(json))
        return heed_fail(error, HEED_E_FORMAT, "%s: \"truncation\": expected an object or null",
                         where);
    HEED_TRY(read_size(json, "max_length", &truncation->max_length, where, error));
    HEED_TRY(read_size(json, "stride", &truncation->stride, where, error));
    HEED_TRY(read_direction(json, &truncation->left, where, error));
    HEED_TRY(heed_json_string(json, "strategy", &strategy, where, error));
    for (int i = 0; i < 3; i++)
        if (!strcmp(strategies[i], strategy)) {
            truncation->strategy = (heed_truncation_strategy)i;
            tokenizer->has_truncation = true;
        }
    if (tokenizer->has_truncation) return HEED_OK;
    return heed_fail(
        error, HEED_E_FORMAT,
        "%s: truncation: \"strategy\" is \"%.80s\", expected LongestFirst, OnlyFirst or OnlySecond",
        where, strategy);
}

/* Reads the "padding" section. */
static heed_status read_padding(heed_tokenizer *tokenizer, const json_t *json, const char *where,
                                heed_error *error)
{
    heed_padding *padding = &tokenizer->padding;
    size_t id = 0, type_id = 0;
    if (!json || json_is_null(json)) return HEED_OK;
    if (!json_is_object(json))
        return heed_fail(error, HEED_E_FORMAT, "%s: \"padding\": expected an object or null",
                         where);
    const json_t *strategy = json_object_get(json, "strategy");
    if (json_is_object(strategy))
        HEED_TRY(read_size(strategy, "Fixed", &padding->length, where, error));
    HEED_TRY(read_size(json, "pad_to_multiple_of", &padding->multiple_of, where, error));
    HEED_TRY(read_size(json, "pad_id", &id, where, error));
    HEED_TRY(read_size(json, "pad_type_id", &type_id, where, error));
    HEED_TRY(read_direction(json, &padding->left, where, error));
    padding->id = (int32_t)id;
    padding->type_id = (int32_t)type_id;
    tokenizer->has_padding = true;
    return HEED_OK;
}

/* Keeps the sections that are written back unchanged. Model and added tokens are written from their
   tables. */
static heed_status keep_sections(heed_tokenizer *tokenizer, const json_t *json, json_t *config,
                                 heed_error *error)
{
    static const char *const kept[] = {"version",       "truncation",     "padding", "normalizer",
                                       "pre_tokenizer", "post_processor", "decoder"};
    int failed = !(tokenizer->sections = json_object());
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        json_t *section = json_object_get(json, kept[i]);
        failed |= json_object_set_new(tokenizer->sections, kept[i],
                                      section ? json_incref(section) : json_null());
    }
    tokenizer->config = json_incref(config);
    failed |= !heed_templates_read(tokenizer);
    return failed ? heed_fail_memory(error, 4096, "the tokenizer's sections") : HEED_OK;
}

static heed_status read_sections(heed_tokenizer *tokenizer, const json_t *json, const char *where,
                                 heed_error *error)
{
    HEED_TRY(heed_pipeline_read(&tokenizer->normalizer, json_object_get(json, "normalizer"),
                                &heed_normalizer_section, where, error));
    HEED_TRY(heed_pipeline_read(&tokenizer->pre_tokenizer, json_object_get(json, "pre_tokenizer"),
                                &heed_pre_tokenizer_section, where, error));
    HEED_TRY(heed_pipeline_read(&tokenizer->decoder, json_object_get(json, "decoder"),
                                &heed_decoder_section, where, error));
    tokenizer->has_decoder = json_is_object(json_object_get(json, "decoder"));
    HEED_TRY(
        heed_post_read(&tokenizer->post, json_object_get(json, "post_processor"), where, error));
    HEED_TRY(read_truncation(tokenizer, json_object_get(json, "truncation"), where, error));
    HEED_TRY(read_padding(tokenizer, json_object_get(json, "padding"), where, error));
    return heed_added_read(&tokenizer->added, json_object_get(json, "added_tokens"),
                           &tokenizer->model, &tokenizer->normalizer, where, error);
}

const char *const heed_shared_tokens = "heed_shared_tokens";

/* Returns the id that a key spells, -1 if it spells none. */
static long long shared_id(const char *key)
{
    char *end;
    long long id = strtoll(key, &end, 10);
    return *end || id < 0 || id > INT32_MAX ? -1 : id;
}

/* Returns whether the id has no string and the string belongs to a greater id. */
static bool is_shared(const heed_vocabulary *vocabulary, long long id, const json_t *string)
{
    const char *text = json_string_value(string);
    if (!text || id < 0 || heed_vocabulary_entry_of(vocabulary, (int32_t)id)) return false;
    return id < heed_vocabulary_find(vocabulary, text, json_string_length(string));
}

/* Reads the strings of ids whose string a greater id has too. */
static heed_status read_shared(heed_vocabulary *vocabulary, const json_t *config, const char *where,
                               heed_error *error)
{
    json_t *shared = json_object_get(config, heed_shared_tokens);
    for (void *at = json_object_iter(shared); at; at = json_object_iter_next(shared, at))
        if (!is_shared(vocabulary, shared_id(json_object_iter_key(at)), json_object_iter_value(at)))
            return heed_fail(
                error, HEED_E_FORMAT,
                "%s: tokenizer_config.json: \"%s\": \"%.40s\": expected an id without a "
                "string, and the string of a greater id",
                where, heed_shared_tokens, json_object_iter_key(at));
    for (void *at = json_object_iter(shared); at; at = json_object_iter_next(shared, at)) {
        const json_t *string = json_object_iter_value(at);
        HEED_TRY(heed_vocabulary_add_id(vocabulary, json_string_value(string),
                                        json_string_length(string),
                                        shared_id(json_object_iter_key(at)), where, error));
    }
    return json_object_size(shared) ? heed_vocabulary_seal(vocabulary, where, error) : HEED_OK;
}

heed_status heed_tokenizer_assemble(heed_tokenizer **result, heed_tokenizer_model *model,
                                    const json_t *json, json_t *config, const char *where,
                                    heed_error *error)
{
    heed_tokenizer *tokenizer = heed_allocate(1, sizeof *tokenizer);
    *result = NULL;
    if (!tokenizer) {
        heed_tokenizer_model_free(model);
        return heed_fail_memory(error, sizeof *tokenizer, "a tokenizer");
    }
    tokenizer->model = *model;
    *model = (heed_tokenizer_model){0};
    heed_status status = read_shared(&tokenizer->model.vocabulary, config, where, error);
    if (status == HEED_OK) status = read_sections(tokenizer, json, where, error);
    if (status == HEED_OK) status = keep_sections(tokenizer, json, config, error);
    if (status != HEED_OK) {
        heed_tokenizer_free(tokenizer);
        return status;
    }
    for (size_t i = 0; i < tokenizer->pre_tokenizer.count; i++)
        tokenizer->tracks_always |= tokenizer->pre_tokenizer.stages[i].prepend_scheme ==
                                    HEED_PREPEND_FIRST;
    for (size_t i = 0; i < tokenizer->normalizer.count; i++)
        tokenizer->repairs_bytes |= tokenizer->normalizer.stages[i].kind->repairs_bytes;
    heed_special_resolve(tokenizer);
    *result = tokenizer;
    return HEED_OK;
}

heed_status heed_tokenizer_build(heed_tokenizer **result, const json_t *json, json_t *config,
                                 const char *where, heed_error *error)
{
    heed_tokenizer_model model;
    *result = NULL;
    if (!json_is_object(json))
        return heed_fail(error, HEED_E_FORMAT, "%s: expected a JSON object", where);
    /* The model is read first, so that an unsupported kind of model is reported before other
       errors. */
    HEED_TRY(heed_tokenizer_model_read(&model, json_object_get(json, "model"), where, error));
    return heed_tokenizer_assemble(result, &model, json, config, where, error);
}
