/* sidecar.c: sidecars of model folders. */
#include "generate/sidecar_internal.h"

#include "base/file.h"
#include "base/memory.h"
#include "generate/settings.h"
#include "io/weights.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_BYTES = 256 << 20 };

const char heed_generation_file[] = "generation_config.json";
static const char config_file[] = "config.json", templates[] = "additional_chat_templates";

typedef struct carried_file {
    const char *name;
    bool is_settings; /* decides about generation */
    bool is_written;  /* heed writes it itself, if it could read the tokenizer */
    bool is_held;     /* entries of GGUF files say what it says */
} carried_file;

static const carried_file carried_files[] = {
    {heed_generation_file, true, false, true},
    {config_file, true, true, true},
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
enum { CARRIED_FILES = sizeof carried_files / sizeof *carried_files };

/* ---- reading ---- */

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

static heed_status read_path(heed_sidecar *sidecar, const char *path, const char *name,
                             heed_error *error)
{
    heed_buffer text = {0};
    heed_status status = heed_file_read(path, FILE_BYTES, &text, error);
    if (status == HEED_OK) status = heed_sidecar_add(sidecar, name, path, &text, error);
    heed_buffer_free(&text);
    return status;
}

static heed_status read_file(heed_sidecar *sidecar, const char *folder, const char *name,
                             heed_error *error)
{
    char *path = heed_path_join(folder, name);
    if (!path) return heed_fail_memory(error, strlen(folder) + strlen(name) + 2, "a path");
    heed_status status = HEED_OK;
    bool is_file = heed_path_exists(path) && !heed_path_is_directory(path);
    if (is_file) status = read_path(sidecar, path, name, error);
    free(path);
    return status;
}

static bool is_template(const char *name)
{
    static const char ending[] = ".jinja";
    size_t length = strlen(name), end = sizeof ending - 1;
    return length > end && strcmp(name + length - end, ending) == 0;
}

static heed_status read_templates(heed_sidecar *sidecar, const char *folder, heed_error *error)
{
    char *path = heed_path_join(folder, templates);
    if (!path) return heed_fail_memory(error, strlen(folder) + sizeof templates + 1, "a path");
    DIR *stream = opendir(path);
    heed_status status = HEED_OK;
    if (!stream && errno != ENOENT && errno != ENOTDIR)
        status = heed_fail_system(error, "open the folder", path);
    for (struct dirent *entry; stream && status == HEED_OK && (entry = readdir(stream));) {
        if (!is_template(entry->d_name)) continue;
        char *name = heed_path_join(templates, entry->d_name);
        status = name ? read_file(sidecar, folder, name, error)
                      : heed_fail_memory(error, strlen(entry->d_name), "a path");
        free(name);
    }
    if (stream) closedir(stream);
    free(path);
    return status;
}

static heed_status read_folder(heed_sidecar *sidecar, const char *folder, heed_sidecar_scope scope,
                               heed_error *error)
{
    bool all = scope == HEED_SIDECAR_ALL;
    for (size_t i = 0; i < CARRIED_FILES; i++)
        if (all || carried_files[i].is_settings)
            HEED_TRY(read_file(sidecar, folder, carried_files[i].name, error));
    return all ? read_templates(sidecar, folder, error) : HEED_OK;
}

heed_status heed_sidecar_load(heed_sidecar **result, const char *model, heed_sidecar_scope scope,
                              heed_error *error)
{
    *result = NULL;
    heed_sidecar *sidecar = heed_allocate(1, sizeof *sidecar);
    if (!sidecar) return heed_fail_memory(error, sizeof *sidecar, "what comes with the model");
    char *folder = heed_weights_folder(model);
    heed_status status = HEED_OK;
    if (!folder) status = heed_fail_memory(error, strlen(model) + 1, "a path");
    else if (heed_gguf_is_file(model)) status = heed_sidecar_read_gguf(sidecar, model, error);
    else status = read_folder(sidecar, folder, scope, error);
    free(folder);
    if (status == HEED_OK) *result = sidecar;
    else heed_sidecar_free(sidecar);
    return status;
}

heed_status heed_sidecar_from_config(heed_sidecar **result, const char *path, heed_error *error)
{
    *result = NULL;
    heed_sidecar *sidecar = heed_allocate(1, sizeof *sidecar);
    if (!sidecar) return heed_fail_memory(error, sizeof *sidecar, "what comes with the model");
    heed_status status = read_path(sidecar, path, config_file, error);
    if (status == HEED_OK) *result = sidecar;
    else heed_sidecar_free(sidecar);
    return status;
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

bool heed_generation_collect(json_t *to, const json_t *from)
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

static heed_status parse(const heed_sidecar_file *file, json_t **json, heed_error *error)
{
    const char *text = file->text.data ? file->text.data : "";
    HEED_TRY(heed_json_parse(json, text, file->text.length, file->where, error));
    if (json_is_object(*json)) return HEED_OK;
    json_decref(*json);
    *json = NULL;
    return heed_fail(error, HEED_E_FORMAT, "%s: expected a JSON object", file->where);
}

heed_status heed_sidecar_generation(const heed_sidecar *sidecar, json_t **json, const char **where,
                                    heed_error *error)
{
    const heed_sidecar_file *own = heed_sidecar_find(sidecar, heed_generation_file);
    const heed_sidecar_file *older = heed_sidecar_find(sidecar, config_file);
    json_t *config = NULL;
    *json = NULL;
    if (own || older) *where = own ? own->where : older->where;
    if (own) return parse(own, json, error);
    if (!older) return HEED_OK;
    HEED_TRY(parse(older, &config, error));
    *json = json_object();
    bool ok = *json && heed_generation_collect(*json, config) &&
              heed_generation_collect(*json, heed_config_nested(config));
    bool is_empty = ok && json_object_size(*json) == 0;
    json_decref(config);
    if (ok && !is_empty) return HEED_OK;
    json_decref(*json);
    *json = NULL;
    return ok ? HEED_OK : heed_fail_memory(error, 4096, "the settings of generation");
}

/* ---- writing ---- */

/* Members of config.json that neither the architecture nor generation depends on, but tools do. */
static bool is_kept_member(const char *key)
{
    static const char *const kept[] = {"task_specific_params", "finetuning_task", "prefix",
                                       "tokenizer_class"};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (strcmp(key, kept[i]) == 0) return true;
    return heed_generation_has_key(key);
}

/* heed's own members stand, but for one that it derives from eos_token_id. */
static bool keep_members(json_t *written, const json_t *source)
{
    for (void *at = json_object_iter((json_t *)source); at;
         at = json_object_iter_next((json_t *)source, at)) {
        const char *key = json_object_iter_key(at);
        bool is_derived = strcmp(key, "forced_eos_token_id") == 0;
        if (!is_kept_member(key) || (json_object_get(written, key) && !is_derived)) continue;
        if (json_object_set(written, key, json_object_iter_value(at)) != 0) return false;
    }
    return true;
}

/* The names of classes, if there are as many as before. */
static bool keep_labels(json_t *written, const json_t *source)
{
    static const char *const members[] = {"id2label", "label2id"};
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof members / sizeof *members; i++) {
        json_t *names = json_object_get(source, members[i]);
        const json_t *own = json_object_get(written, members[i]);
        bool fits = json_is_object(names) && json_is_object(own) &&
                    json_object_size(names) == json_object_size(own);
        if (fits) ok = json_object_set(written, members[i], names) == 0;
    }
    return ok;
}

static bool put_config(heed_buffer *text, const json_t *json)
{
    heed_json_put_lines(text, json);
    heed_buffer_byte(text, '\n');
    return !text->failed;
}

static bool is_same(const heed_buffer *a, const heed_buffer *b)
{
    return a->length == b->length && memcmp(a->data, b->data, a->length) == 0;
}

static heed_status amend_config(const heed_sidecar_file *file, const char *path, heed_error *error)
{
    json_t *written = NULL, *source = NULL;
    heed_buffer before = {0}, after = {0};
    HEED_TRY(heed_json_read(&written, path, error));
    heed_status status = parse(file, &source, error);
    bool ok = status == HEED_OK && put_config(&before, written) && keep_members(written, source) &&
              keep_labels(written, source) &&
              heed_generation_collect(written, heed_config_nested(source)) &&
              put_config(&after, written);
    if (status == HEED_OK && !ok) status = heed_fail_memory(error, after.length, config_file);
    if (status == HEED_OK && !is_same(&before, &after))
        status = heed_file_write(path, after.data, after.length, error);
    heed_buffer_free(&before);
    heed_buffer_free(&after);
    json_decref(written);
    json_decref(source);
    return status;
}

bool heed_sidecar_is_for_folders(const char *name)
{
    for (size_t i = 0; i < CARRIED_FILES; i++)
        if (strcmp(carried_files[i].name, name) == 0) return !carried_files[i].is_held;
    return false;
}

/* Is the file of this name one that heed wrote into the folder itself? */
static bool is_replaced(const char *name, bool wrote_tokenizer)
{
    if (strcmp(name, config_file) == 0) return true;
    if (strncmp(name, templates, sizeof templates - 1) == 0) return wrote_tokenizer;
    for (size_t i = 0; i < CARRIED_FILES; i++)
        if (strcmp(carried_files[i].name, name) == 0)
            return wrote_tokenizer && carried_files[i].is_written;
    return false;
}

static heed_status write_file(const heed_sidecar_file *file, const char *path, heed_error *error)
{
    const char *slash = strrchr(file->name, '/');
    if (slash) {
        size_t length = strlen(path) - strlen(slash);
        char *folder = heed_string_copy(path);
        if (!folder) return heed_fail_memory(error, length, "a path");
        folder[length] = 0;
        heed_status status = heed_directory_make(folder, error);
        free(folder);
        HEED_TRY(status);
    }
    const char *text = file->text.data ? file->text.data : "";
    return heed_file_write(path, text, file->text.length, error);
}

heed_status heed_sidecar_save(const heed_sidecar *sidecar, const char *folder, bool wrote_tokenizer,
                              heed_error *error)
{
    heed_status status = HEED_OK;
    for (size_t i = 0; sidecar && i < sidecar->count && status == HEED_OK; i++) {
        const heed_sidecar_file *file = &sidecar->files[i];
        char *path = heed_path_join(folder, file->name);
        if (!path) return heed_fail_memory(error, strlen(folder) + strlen(file->name), "a path");
        if (strcmp(file->name, config_file) == 0) status = amend_config(file, path, error);
        else if (!is_replaced(file->name, wrote_tokenizer)) status = write_file(file, path, error);
        free(path);
    }
    return status;
}
