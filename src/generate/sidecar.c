/* sidecar.c: keeps the files of a sidecar in memory and finds the settings of generation in
   them. */
#include "generate/sidecar_internal.h"

#include "base/memory.h"
#include "generate/settings.h"
#include <stdlib.h>
#include <string.h>

const char heed_sidecar_generation_name[] = "generation_config.json";
const char heed_sidecar_config_name[] = "config.json";
const char heed_sidecar_template_folder[] = "additional_chat_templates";

const heed_sidecar_carried_file heed_sidecar_carried[] = {
    {heed_sidecar_generation_name, true, false, true},
    {heed_sidecar_config_name, true, true, true},
    {"special_tokens_map.json", false, false, false},
    {"tokenizer.json", false, true, true},
    {"tokenizer_config.json", false, true, true},
    {"chat_template.jinja", false, true, true},
    {"chat_template.json", false, true, true},
    {"added_tokens.json", false, false, true},
    {"vocab.json", false, false, true},
    {"merges.txt", false, false, true},
    {"vocab.txt", false, false, true},
    {"tokenizer.model", false, false, true},
    {"sentencepiece.bpe.model", false, false, true},
    {"spiece.model", false, false, true},
    {"source.spm", false, false, true},
    {"target.spm", false, false, true},
    {"target_vocab.json", false, false, true},
    {"tekken.json", false, false, true},
    {"preprocessor_config.json", false, false, false},
    {"processor_config.json", false, false, false},
    {"modules.json", false, false, false},
    {"sentence_bert_config.json", false, false, false},
    {"config_sentence_transformers.json", false, false, false},
    {"1_Pooling/config.json", false, false, false},
};
const size_t heed_sidecar_carried_count = sizeof heed_sidecar_carried /
                                          sizeof *heed_sidecar_carried;

bool heed_sidecar_is_for_folders(const char *name)
{
    for (size_t i = 0; i < heed_sidecar_carried_count; i++)
        if (strcmp(heed_sidecar_carried[i].name, name) == 0)
            return !heed_sidecar_carried[i].is_held;
    return false;
}

/* ---- files ---- */

heed_status heed_sidecar_add(heed_sidecar *sidecar, const char *name, const char *where,
                             heed_buffer *text, heed_error *error)
{
    heed_sidecar_file file = {heed_string_copy(name), heed_string_copy(where), *text};
    *text = (heed_buffer){0};
    if (file.name && file.where && !file.text.failed &&
        heed_grow(&sidecar->files, &sidecar->capacity, sidecar->count + 1, sizeof file)) {
        sidecar->files[sidecar->count++] = file;
        return HEED_OK;
    }
    free(file.name);
    free(file.where);
    heed_buffer_free(&file.text);
    return heed_fail_memory(error, strlen(where), name);
}

void heed_sidecar_free(heed_sidecar *sidecar)
{
    if (!sidecar) return;
    for (size_t i = 0; i < sidecar->count; i++) {
        free(sidecar->files[i].name);
        free(sidecar->files[i].where);
        heed_buffer_free(&sidecar->files[i].text);
    }
    free(sidecar->files);
    free(sidecar);
}

const heed_sidecar_file *heed_sidecar_find(const heed_sidecar *sidecar, const char *name)
{
    for (size_t i = 0; sidecar && i < sidecar->count; i++)
        if (strcmp(sidecar->files[i].name, name) == 0) return &sidecar->files[i];
    return NULL;
}

bool heed_sidecar_has_tokenizer(const heed_sidecar *sidecar)
{
    static const char *const names[] = {
        "tokenizer.json", "tokenizer.model",         "vocab.json", "vocab.txt",
        "spiece.model",   "sentencepiece.bpe.model", "tekken.json"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (heed_sidecar_find(sidecar, names[i])) return true;
    return false;
}

/* ---- settings of generation ---- */

void heed_sidecar_put_json(heed_buffer *text, const json_t *json)
{
    heed_json_put_lines(text, json);
    heed_buffer_byte(text, '\n');
}

heed_status heed_sidecar_parse(const heed_sidecar_file *file, json_t **json, heed_error *error)
{
    const char *text = file->text.data ? file->text.data : "";
    HEED_TRY(heed_json_parse(json, text, file->text.length, file->where, error));
    if (json_is_object(*json)) return HEED_OK;
    json_decref(*json);
    *json = NULL;
    return heed_fail(error, HEED_E_FORMAT, "%s: expected a JSON object", file->where);
}

bool heed_sidecar_collect(json_t *to, const json_t *from)
{
    for (void *at = json_object_iter((json_t *)from); at;
         at = json_object_iter_next((json_t *)from, at)) {
        const char *key = json_object_iter_key(at);
        json_t *value = json_object_iter_value(at);
        const json_t *old = json_object_get(to, key);
        if ((old && !json_is_null(old)) || json_is_null(value)) continue;
        if (!heed_generation_has_key(key)) continue;
        if (json_object_set(to, key, value) != 0) return false;
    }
    return true;
}

heed_status heed_sidecar_generation(const heed_sidecar *sidecar, json_t **json, const char **where,
                                    heed_error *error)
{
    const heed_sidecar_file *own = heed_sidecar_find(sidecar, heed_sidecar_generation_name);
    const heed_sidecar_file *older = heed_sidecar_find(sidecar, heed_sidecar_config_name);
    json_t *config = NULL;
    *json = NULL;
    const heed_sidecar_file *file = own ? own : older;
    if (file) *where = file->where;
    if (own) return heed_sidecar_parse(own, json, error);
    if (!older) return HEED_OK;
    HEED_TRY(heed_sidecar_parse(older, &config, error));
    *json = json_object();
    bool ok = *json && heed_sidecar_collect(*json, config) &&
              heed_sidecar_collect(*json, heed_config_nested(config));
    bool is_empty = ok && json_object_size(*json) == 0;
    json_decref(config);
    if (ok && !is_empty) return HEED_OK;
    json_decref(*json);
    *json = NULL;
    return ok ? HEED_OK : heed_fail_memory(error, 4096, "the settings of generation");
}
