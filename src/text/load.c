/* load.c: loads a tokenizer from a folder, a GGUF file, a tokenizer.json or its bytes
   (tokenizer.h). */
#include "text/text_internal.h"

#include "base/file.h"
#include "io/gguf.h"
#include "io/sentencepiece.h"
#include "io/weights.h"
#include "text/added_config.h"
#include <heed/tokenizer.h>
#include <stdlib.h>
#include <string.h>

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

/* Reads an optional JSON object of a folder. *json stays NULL if there is none. */
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

/* Reads tokenizer.json, or builds it from older files, and adds what the folder's other files
   define. *config becomes the merged configuration. */
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

/* Loads the tokenizer of a folder with its chat templates. */
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

/* Loads the tokenizer from the folder of a file of weights. */
static heed_status load_beside(heed_tokenizer **tokenizer, const char *path, heed_error *error)
{
    char *folder = heed_weights_folder(path);
    heed_status status = folder ? load_folder(tokenizer, folder, error)
                                : heed_fail_memory(error, strlen(path), "a path");
    free(folder);
    return status;
}

heed_status heed_tokenizer_load(heed_tokenizer **tokenizer, const char *path, heed_error *error)
{
    *tokenizer = NULL;
    if (heed_path_is_directory(path)) return load_folder(tokenizer, path, error);
    if (heed_gguf_is_file(path)) return heed_tokenizer_load_gguf(tokenizer, path, error);
    if (heed_sentencepiece_is_name(path))
        return heed_tokenizer_load_sentencepiece(tokenizer, path, error);
    if (heed_tiktoken_is_name(path)) return heed_tokenizer_load_tiktoken(tokenizer, path, error);
    if (heed_weights_is_name(path)) return load_beside(tokenizer, path, error);
    json_t *json = NULL;
    HEED_TRY(heed_json_read(&json, path, error));
    heed_status status = heed_tokenizer_build(tokenizer, json, NULL, path, error);
    json_decref(json);
    return status;
}
