#include "text/internal.h"

#include "base/file.h"
#include <stdlib.h>
#include <string.h>

static heed_status write_json(const json_t *json, const char *folder, const char *name, heed_error *error)
{
    heed_buffer text = {0};
    char *path = heed_path_join(folder, name);
    heed_json_put_lines(&text, json);
    heed_buffer_byte(&text, '\n');
    heed_status status =
        path && !text.failed ? heed_file_write(path, text.data, text.length, error) : heed_fail_memory(error, text.length, name);
    free(path);
    heed_buffer_free(&text);
    return status;
}

/* The library's order of sections. */
static heed_status compose(const heed_tokenizer *tokenizer, json_t **result, heed_error *error)
{
    static const char *const order[] = {"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
                                        "post_processor", "decoder", "model"};
    json_t *added = NULL, *model = NULL, *json = json_object();
    heed_status status = heed_added_write(&tokenizer->added, &added, error);
    if (status == HEED_OK) status = heed_model_write(&tokenizer->model, &model, error);
    int failed = !json;
    for (size_t i = 0; i < sizeof order / sizeof *order && status == HEED_OK; i++) {
        const json_t *section = json_object_get(tokenizer->sections, order[i]);
        json_t *value = !strcmp(order[i], "added_tokens") ? json_incref(added)
                      : !strcmp(order[i], "model")        ? json_incref(model)
                      : !strcmp(order[i], "version") && !json_is_string(section) ? json_string("1.0")
                                                                                 : json_incref((json_t *)section);
        failed |= json_object_set_new(json, order[i], value);
    }
    json_decref(added);
    json_decref(model);
    if (status == HEED_OK && failed) status = heed_fail_memory(error, 1 << 20, "writing the tokenizer");
    if (status == HEED_OK) *result = json;
    else json_decref(json);
    return status;
}

json_t *heed_tokenizer_make_config(const heed_tokenizer *tokenizer)
{
    json_t *config = json_object();
    int failed = json_object_set_new(config, "tokenizer_class", json_string("PreTrainedTokenizerFast"));
    failed |= json_object_set_new(config, "clean_up_tokenization_spaces", json_false());
    for (int part = 0; part < HEED_SPECIAL_COUNT; part++) {
        size_t length;
        const char *token = heed_tokenizer_token(tokenizer, tokenizer->special[part], &length);
        if (token && heed_tokenizer_is_special(tokenizer, tokenizer->special[part])) /* naming makes special */
            failed |= json_object_set_new(config, heed_special_names[part], json_stringn(token, length));
    }
    if (!failed) return config;
    json_decref(config);
    return NULL;
}

/* The configuration with its parts as strings where they are objects without a type, as special_tokens_map.json has
   them: transformers refuses those in tokenizer_config.json, and takes the flags from the added tokens. A new
   reference; NULL without memory. */
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

heed_status heed_tokenizer_save(const heed_tokenizer *tokenizer, const char *folder, heed_error *error)
{
    json_t *json = NULL;
    HEED_TRY(compose(tokenizer, &json, error));
    heed_status status = write_json(json, folder, "tokenizer.json", error);
    json_decref(json);
    HEED_TRY(status);
    json_t *config = tokenizer->config ? config_to_write(tokenizer->config) : heed_tokenizer_make_config(tokenizer);
    status = config ? write_json(config, folder, "tokenizer_config.json", error) : heed_fail_memory(error, 1024, "tokenizer_config.json");
    json_decref(config);
    return status == HEED_OK ? heed_templates_save(tokenizer, folder, error) : status;
}
