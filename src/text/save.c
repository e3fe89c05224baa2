/* save.c: writes tokenizer.json and tokenizer_config.json (heed_tokenizer_save). */
#include "text/text_internal.h"

#include "base/file.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static heed_status write_json(const json_t *json, const char *folder, const char *name,
                              heed_error *error)
{
    heed_buffer text = {0};
    char *path = heed_path_join(folder, name);
    heed_json_put_lines(&text, json);
    heed_buffer_byte(&text, '\n');
    heed_status status = path && !text.failed ? heed_file_write(path, text.data, text.length, error)
                                              : heed_fail_memory(error, text.length, name);
    free(path);
    heed_buffer_free(&text);
    return status;
}

/* Returns a section of tokenizer.json as it is written, a new reference, NULL if there is none. */
static json_t *section_to_write(const heed_tokenizer *tokenizer, const char *name, json_t *added,
                                json_t *model)
{
    json_t *section = json_object_get(tokenizer->sections, name);
    if (!strcmp(name, "added_tokens")) return json_incref(added);
    if (!strcmp(name, "model")) return json_incref(model);
    if (!strcmp(name, "version") && !json_is_string(section)) return json_string("1.0");
    return json_incref(section);
}

/* Builds tokenizer.json with its sections in the library's order. */
static heed_status compose(const heed_tokenizer *tokenizer, json_t **result, heed_error *error)
{
    static const char *const order[] = {"version",        "truncation", "padding",
                                        "added_tokens",   "normalizer", "pre_tokenizer",
                                        "post_processor", "decoder",    "model"};
    json_t *added = NULL, *model = NULL, *json = json_object();
    heed_status status = heed_added_write(&tokenizer->added, &added, error);
    if (status == HEED_OK) status = heed_tokenizer_model_write(&tokenizer->model, &model, error);
    int failed = !json;
    for (size_t i = 0; i < sizeof order / sizeof *order && status == HEED_OK; i++) {
        json_t *section = section_to_write(tokenizer, order[i], added, model);
        failed |= json_object_set_new(json, order[i], section);
    }
    json_decref(added);
    json_decref(model);
    if (status == HEED_OK && failed)
        status = heed_fail_memory(error, 1 << 20, "writing the tokenizer");
    if (status == HEED_OK) *result = json;
    else json_decref(json);
    return status;
}

/* Returns the configuration with special tokens as strings where they are objects without a type,
   as in special_tokens_map.json. transformers refuses such objects in tokenizer_config.json, and
   takes the flags from the added tokens. A new reference; NULL if out of memory. */
static json_t *config_to_write(const json_t *config)
{
    json_t *copy = json_copy((json_t *)config);
    bool made = copy && json_object_size(copy) == json_object_size(config);
    for (int part = 0; part < HEED_SPECIAL_COUNT && made; part++) {
        const json_t *named = json_object_get(config, heed_special_names[part]);
        json_t *content = json_object_get(named, "content");
        if (json_is_string(content) && !json_object_get(named, "__type"))
            made = json_object_set(copy, heed_special_names[part], content) == 0;
    }
    if (made) return copy;
    json_decref(copy);
    return NULL;
}

/* Adds to the configuration the ids whose string a greater id has too, for which tokenizer.json has
   no place: {"435": "the"}. */
static heed_status put_shared(const heed_tokenizer *tokenizer, json_t *config, heed_error *error)
{
    const heed_vocabulary *vocabulary = &tokenizer->model.vocabulary;
    json_t *shared = vocabulary->shared ? json_object() : NULL;
    int failed = vocabulary->shared && !shared;
    for (size_t i = 0; shared && i < vocabulary->count && !failed; i++) {
        const heed_vocabulary_entry *entry = &vocabulary->entries[i];
        const char *string = heed_vocabulary_string(vocabulary, entry);
        char id[16];
        snprintf(id, sizeof id, "%d", (int)entry->id);
        if (heed_vocabulary_find(vocabulary, string, entry->length) != entry->id)
            failed = json_object_set_new(shared, id, json_stringn(string, entry->length));
    }
    if (!failed && shared) failed = json_object_set(config, heed_shared_tokens, shared);
    json_decref(shared);
    return failed ? heed_fail_memory(error, 1024, "tokenizer_config.json") : HEED_OK;
}

heed_status heed_tokenizer_save(const heed_tokenizer *tokenizer, const char *folder,
                                heed_error *error)
{
    json_t *json = NULL;
    HEED_TRY(compose(tokenizer, &json, error));
    heed_status status = write_json(json, folder, "tokenizer.json", error);
    json_decref(json);
    HEED_TRY(status);
    json_t *config = tokenizer->config ? config_to_write(tokenizer->config)
                                       : heed_tokenizer_make_config(tokenizer);
    status = config ? put_shared(tokenizer, config, error)
                    : heed_fail_memory(error, 1024, "tokenizer_config.json");
    if (status == HEED_OK) status = write_json(config, folder, "tokenizer_config.json", error);
    json_decref(config);
    return status == HEED_OK ? heed_templates_save(tokenizer, folder, error) : status;
}
