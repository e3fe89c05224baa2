/* gguf_support.h: the vocabulary of a GGUF file as a test keeps it: a JSON object of the file's
   "tokenizer.ggml." members, their names without that prefix. */
#ifndef HEED_TESTS_TEXT_GGUF_SUPPORT_H
#define HEED_TESTS_TEXT_GGUF_SUPPORT_H

#include "tokenizer_support.h"

typedef struct {
    heed_gguf_vocabulary vocabulary;
    json_t *json;
} gguf_arrays;

static inline heed_gguf_string *gguf_strings(const json_t *list)
{
    heed_gguf_string *strings = calloc(json_array_size(list) + 1, sizeof *strings);
    assert_non_null(strings);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *string = json_array_get(list, i);
        strings[i] = (heed_gguf_string){json_string_value(string), json_string_length(string)};
    }
    return strings;
}

static inline int gguf_flag(const json_t *json, const char *key)
{
    const json_t *flag = json_object_get(json, key);
    return json_is_boolean(flag) ? json_is_true(flag) : -1;
}

/* Takes over a reference to `json`. */
static inline gguf_arrays gguf_from_json(json_t *json)
{
    static const char *const ids[HEED_SPECIAL_COUNT] = {
        [HEED_BOS] = "bos_token_id",     [HEED_EOS] = "eos_token_id",
        [HEED_PAD] = "padding_token_id", [HEED_UNK] = "unknown_token_id",
        [HEED_CLS] = "cls_token_id",     [HEED_SEP] = "seperator_token_id",
        [HEED_MASK] = "mask_token_id"};
    const json_t *tokens = json_object_get(json, "tokens"),
                 *merges = json_object_get(json, "merges");
    const json_t *scores = json_object_get(json, "scores"),
                 *types = json_object_get(json, "token_type");
    size_t count = json_array_size(tokens);
    gguf_arrays arrays = {
        .json = json,
        .vocabulary = {.model = json_string_value(json_object_get(json, "model")),
                       .pre = json_string_value(json_object_get(json, "pre")),
                       .tokens = gguf_strings(tokens),
                       .token_count = count,
                       .merges = gguf_strings(merges),
                       .merge_count = json_array_size(merges),
                       .add_bos = gguf_flag(json, "add_bos_token"),
                       .add_eos = gguf_flag(json, "add_eos_token"),
                       .add_space_prefix = gguf_flag(json, "add_space_prefix"),
                       .chat_template = json_string_value(json_object_get(json, "chat_template"))}};
    float *numbers = scores ? calloc(count + 1, sizeof *numbers) : NULL;
    int32_t *kinds = types ? calloc(count + 1, sizeof *kinds) : NULL;
    for (size_t i = 0; i < count; i++) {
        if (numbers) numbers[i] = (float)json_number_value(json_array_get(scores, i));
        if (kinds) kinds[i] = (int32_t)number_at(types, i);
    }
    arrays.vocabulary.scores = numbers;
    arrays.vocabulary.types = kinds;
    for (int part = 0; part < HEED_SPECIAL_COUNT; part++) {
        const json_t *id = json_object_get(json, ids[part]);
        arrays.vocabulary.special[part] = id ? json_integer_value(id) : -1;
    }
    return arrays;
}

static inline void gguf_arrays_free(gguf_arrays *arrays)
{
    free((void *)arrays->vocabulary.tokens);
    free((void *)arrays->vocabulary.merges);
    free((void *)arrays->vocabulary.scores);
    free((void *)arrays->vocabulary.types);
    json_decref(arrays->json);
}

#endif
