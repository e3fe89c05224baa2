#include "text/text_internal.h"

#include "base/file.h"
#include "base/lines.h"
#include "base/memory.h"
#include "io/gguf.h"
#include "io/weights.h"
#include "text/added_config.h"
#include <heed/heed.h> /* loading and freeing are public */
#include <stdlib.h>
#include <string.h>

void heed_tokenizer_free(heed_tokenizer *tokenizer)
{
    if (!tokenizer) return;
    heed_added_free(&tokenizer->added);
    heed_pipeline_free(&tokenizer->normalizer);
    heed_pipeline_free(&tokenizer->pre_tokenizer);
    heed_pipeline_free(&tokenizer->decoder);
    heed_tokenizer_model_free(&tokenizer->model);
    heed_post_free(&tokenizer->post);
    json_decref(tokenizer->sections);
    json_decref(tokenizer->config);
    heed_buffer_free(&tokenizer->notes);
    json_decref(tokenizer->templates);
    free(tokenizer);
}

const char *heed_tokenizer_kind(const heed_tokenizer *tokenizer)
{
    return tokenizer->model.kind->name;
}

size_t heed_tokenizer_vocab_size(const heed_tokenizer *tokenizer)
{
    size_t size = tokenizer->model.vocabulary.count;
    for (size_t i = 0; i < tokenizer->added.count; i++) {
        const heed_added_token *token = &tokenizer->added.tokens[i];
        size += heed_vocabulary_find(&tokenizer->model.vocabulary, token->content, token->length) <
                0;
    }
    return size;
}

int32_t heed_tokenizer_id_limit(const heed_tokenizer *tokenizer)
{
    const heed_added_tokens *added = &tokenizer->added;
    int32_t limit = heed_vocabulary_id_limit(&tokenizer->model.vocabulary);
    int32_t added_limit = added->count ? added->by_id[added->count - 1].id + 1 : 0;
    return limit > added_limit ? limit : added_limit;
}

int32_t heed_tokenizer_base_limit(const heed_tokenizer *tokenizer)
{
    return heed_vocabulary_id_limit(&tokenizer->model.vocabulary);
}

int32_t heed_tokenizer_special(const heed_tokenizer *tokenizer, heed_special part)
{
    return part < HEED_SPECIAL_COUNT ? tokenizer->special[part] : -1;
}

bool heed_tokenizer_is_special(const heed_tokenizer *tokenizer, int32_t id)
{
    const heed_added_token *token = heed_added_find(&tokenizer->added, id);
    return token && token->skipped;
}

int32_t heed_tokenizer_id(const heed_tokenizer *tokenizer, const char *token, size_t length)
{
    const heed_added_token *added = heed_added_find_content(&tokenizer->added, token, length);
    return added ? added->id : heed_vocabulary_find(&tokenizer->model.vocabulary, token, length);
}

size_t heed_tokenizer_shared(const heed_tokenizer *tokenizer, int32_t *first)
{
    const heed_vocabulary *vocabulary = &tokenizer->model.vocabulary;
    *first = -1;
    for (size_t i = 0; vocabulary->shared && i < vocabulary->count && *first < 0; i++) {
        const heed_vocabulary_entry *entry = &vocabulary->entries[i];
        int32_t found = heed_vocabulary_find(vocabulary, heed_vocabulary_string(vocabulary, entry),
                                             entry->length);
        if (found != entry->id) *first = entry->id;
    }
    return vocabulary->shared;
}

const char *heed_tokenizer_decoded_token(const heed_tokenizer *tokenizer, int32_t id,
                                         size_t *length)
{
    const heed_vocabulary *target = &tokenizer->model.target;
    const heed_vocabulary_entry *entry = target->count ? heed_vocabulary_entry_of(target, id)
                                                       : NULL;
    if (!target->count) return heed_tokenizer_token(tokenizer, id, length);
    *length = entry ? entry->length : 0;
    return entry ? heed_vocabulary_string(target, entry) : NULL;
}

const char *heed_tokenizer_token(const heed_tokenizer *tokenizer, int32_t id, size_t *length)
{
    const heed_vocabulary *vocabulary = &tokenizer->model.vocabulary;
    const heed_added_token *added = heed_added_find(&tokenizer->added, id);
    if (added) {
        if (length) *length = added->spelled_length;
        return added->spelled;
    }
    const heed_vocabulary_entry *entry = heed_vocabulary_entry_of(vocabulary, id);
    if (length) *length = entry ? entry->length : 0;
    return entry ? heed_vocabulary_string(vocabulary, entry) : NULL;
}

const heed_truncation *heed_tokenizer_truncation(const heed_tokenizer *tokenizer)
{
    return tokenizer->has_truncation ? &tokenizer->truncation : NULL;
}

const heed_padding *heed_tokenizer_padding(const heed_tokenizer *tokenizer)
{
    return tokenizer->has_padding ? &tokenizer->padding : NULL;
}

unsigned heed_tokenizer_plain_flags(const heed_tokenizer *tokenizer)
{
    return tokenizer->plain_flags;
}

size_t heed_tokenizer_added_count(const heed_tokenizer *tokenizer, bool pair)
{
    return pair ? tokenizer->post.pair.added : tokenizer->post.single.added;
}

heed_status heed_tokenizer_from_json(heed_tokenizer **tokenizer, const char *json, size_t length,
                                     const char *where, heed_error *error)
{
    json_t *parsed = NULL;
    *tokenizer = NULL;
    HEED_TRY(heed_json_parse(&parsed, json, length, where, error));
    heed_status status = heed_tokenizer_build(tokenizer, parsed, NULL, where, error);
    json_decref(parsed);
    return status;
}

/* Reads an optional JSON object of a folder; *json stays NULL when there is none. */
static heed_status read_optional(json_t **json, const char *folder, const char *name,
                                 heed_error *error)
{
    char *path = heed_path_join(folder, name);
    heed_status status = path ? HEED_OK : heed_fail_memory(error, strlen(folder), name);
    if (status == HEED_OK && heed_path_exists(path)) status = heed_json_read(json, path, error);
    if (status == HEED_OK && *json && !json_is_object(*json))
        status = heed_fail(error, HEED_E_FORMAT, "%s: expected a JSON object", path);
    free(path);
    return status;
}

static void files_free(heed_folder_config *files)
{
    json_decref(files->config);
    json_decref(files->map);
    json_decref(files->added);
    json_decref(files->model);
}

static heed_status read_files(heed_folder_config *files, const char *folder, heed_error *error)
{
    HEED_TRY(read_optional(&files->config, folder, "tokenizer_config.json", error));
    HEED_TRY(read_optional(&files->map, folder, "special_tokens_map.json", error));
    HEED_TRY(read_optional(&files->added, folder, "added_tokens.json", error));
    heed_status status = read_optional(&files->model, folder, "config.json", NULL);
    return status == HEED_E_NOMEM ? heed_fail_memory(error, 4096, "config.json") : HEED_OK;
}

/* tokenizer.json, or what stands for it, with all that the folder's other files add; *config is
   what they say. */
static heed_status read_json(json_t **json, json_t **config, const char *folder, const char *path,
                             heed_buffer *notes, heed_error *error)
{
    heed_folder_config files = {0};
    bool fast = heed_path_exists(path);
    heed_status status = read_files(&files, folder, error);
    if (status == HEED_OK) status = heed_folder_config_merge(&files, config, error);
    if (status == HEED_OK && fast) status = heed_json_read(json, path, error);
    else if (status == HEED_OK)
        status = heed_tokenizer_json_from_files(json, folder, config, error);
    if (status == HEED_OK)
        status = heed_folder_config_add(&files, *config, !fast, *json, notes, error);
    if (status == HEED_OK)
        heed_folder_config_note(*config, files.model, fast ? *json : NULL, notes);
    files_free(&files);
    return status;
}

static heed_status load_folder(heed_tokenizer **tokenizer, const char *folder, heed_error *error)
{
    json_t *config = NULL, *json = NULL;
    heed_buffer notes = {0};
    char *path = heed_path_join(folder, "tokenizer.json");
    heed_status status = path ? read_json(&json, &config, folder, path, &notes, error)
                              : heed_fail_memory(error, strlen(folder), "a path");
    if (status == HEED_OK) status = heed_tokenizer_build(tokenizer, json, config, path, error);
    json_decref(json);
    json_decref(config);
    free(path);
    if (status == HEED_OK) status = heed_templates_read_folder(*tokenizer, folder, error);
    if (status == HEED_OK && notes.failed)
        status = heed_fail_memory(error, notes.capacity, "notes");
    if (status == HEED_OK) {
        (*tokenizer)->notes = notes;
        return HEED_OK;
    }
    heed_buffer_free(&notes);
    heed_tokenizer_free(*tokenizer);
    *tokenizer = NULL;
    return status;
}

/* The tokenizer beside a file of weights. */
static heed_status load_beside(heed_tokenizer **tokenizer, const char *path, heed_error *error)
{
    char *folder = heed_weights_folder(path);
    heed_status status = folder ? load_folder(tokenizer, folder, error)
                                : heed_fail_memory(error, strlen(path), "a path");
    free(folder);
    return status;
}

bool heed_tokenizer_note(const heed_tokenizer *tokenizer, size_t index, const char **line,
                         size_t *length)
{
    heed_lines lines = {.rest = {tokenizer->notes.data, tokenizer->notes.length}};
    heed_text text = {0};
    for (size_t i = 0; i <= index; i++)
        if (!heed_lines_next(&lines, &text)) return false;
    *line = text.bytes;
    *length = text.length;
    return true;
}

heed_status heed_tokenizer_load(heed_tokenizer **tokenizer, const char *path, heed_error *error)
{
    *tokenizer = NULL;
    if (heed_path_is_directory(path)) return load_folder(tokenizer, path, error);
    if (heed_gguf_is_file(path)) return heed_tokenizer_load_gguf(tokenizer, path, error);
    if (heed_weights_is_name(path)) return load_beside(tokenizer, path, error);
    json_t *json = NULL;
    HEED_TRY(heed_json_read(&json, path, error));
    heed_status status = heed_tokenizer_build(tokenizer, json, NULL, path, error);
    json_decref(json);
    return status;
}
