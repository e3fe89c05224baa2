/* Names of classes in config.json: id2label and label2id. */
#include "model/head/head.h"

#include <string.h>

/* Returns the name of a class as text: a string, or a number, which transformers accepts too. */
static const char *name_of(const json_t *value, char text[32])
{
    if (!json_is_integer(value)) return json_string_value(value);
    snprintf(text, 32, "%lld", (long long)json_integer_value(value));
    return text;
}

heed_status heed_class_names_read(json_t **names, const heed_config *config, const json_t *json,
                                  const char *where, heed_error *error)
{
    const json_t *said = json_object_get(json, "id2label");
    *names = NULL;
    if (!heed_head_any(config, HEED_TRAIT_NAMES_CLASSES) || !json_is_object(said)) return HEED_OK;
    if ((int64_t)json_object_size(said) != config->labels) return HEED_OK; /* of another head */
    json_t *list = json_array();
    bool ok = list != NULL;
    for (int64_t i = 0; ok && i < config->labels; i++) {
        char id[24], text[32];
        snprintf(id, sizeof id, "%lld", (long long)i);
        const char *name = name_of(json_object_get(said, id), text);
        if (!name) {
            json_decref(list);
            return heed_fail(error, HEED_E_FORMAT,
                             "%s: id2label has no name for class %lld; expected a text for each of "
                             "the classes 0 to %lld",
                             where, (long long)i, (long long)config->labels - 1);
        }
        ok = json_array_append_new(list, json_string(name)) == 0;
    }
    if (ok) *names = list;
    else json_decref(list);
    return ok ? HEED_OK : heed_fail_memory(error, 4096, "the names of classes");
}

bool heed_class_names_write(const heed_config *config, const json_t *names, json_t *json)
{
    if (!heed_head_any(config, HEED_TRAIT_NAMES_CLASSES)) return true;
    const bool known = (int64_t)json_array_size(names) == config->labels;
    json_t *by_id = json_object(), *ids = json_object();
    bool ok = by_id && ids;
    for (int64_t i = 0; ok && i < config->labels; i++) {
        char id[24], usual[32];
        snprintf(id, sizeof id, "%lld", (long long)i);
        snprintf(usual, sizeof usual, "LABEL_%lld", (long long)i);
        const char *name = known ? json_string_value(json_array_get(names, (size_t)i)) : usual;
        ok = json_object_set_new(by_id, id, json_string(name)) == 0 &&
             json_object_set_new(ids, name, json_integer(i)) == 0;
    }
    ok = ok && json_object_set(json, "id2label", by_id) == 0 &&
         json_object_set(json, "label2id", ids) == 0;
    json_decref(by_id);
    json_decref(ids);
    return ok;
}
