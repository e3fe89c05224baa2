/* sidecar_write.c: writes a sidecar into the folder of another model. */
#include "generate/sidecar_internal.h"

#include "base/file.h"
#include "base/memory.h"
#include "generate/settings.h"
#include <stdlib.h>
#include <string.h>

/* Is this a member of config.json that is copied: a setting of generation, or one that only tools
   use? */
static bool is_kept_member(const char *key)
{
    static const char *const kept[] = {"task_specific_params", "finetuning_task", "prefix",
                                       "tokenizer_class"};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (strcmp(key, kept[i]) == 0) return true;
    return heed_generation_has_key(key);
}

/* Copies members of `source` that heed did not write. forced_eos_token_id is copied in any case,
   because heed only derives it from eos_token_id. Returns false if memory is out. */
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

static bool put_config(heed_buffer *text, const json_t *json)
{
    heed_sidecar_put_json(text, json);
    return !text->failed;
}

static bool is_same(const heed_buffer *a, const heed_buffer *b)
{
    return a->length == b->length && memcmp(a->data, b->data, a->length) == 0;
}

/* Adds members of the old config.json to the one that heed wrote at `path`. */
static heed_status amend_config(const heed_sidecar_file *file, const char *path, heed_error *error)
{
    json_t *written = NULL, *source = NULL;
    heed_buffer before = {0}, after = {0};
    HEED_TRY(heed_json_read(&written, path, error));
    heed_status status = heed_sidecar_parse(file, &source, error);
    bool ok = status == HEED_OK && put_config(&before, written) && keep_members(written, source) &&
              heed_sidecar_collect(written, heed_config_nested(source)) &&
              put_config(&after, written);
    if (status == HEED_OK && !ok)
        status = heed_fail_memory(error, after.length, heed_sidecar_config_name);
    if (status == HEED_OK && !is_same(&before, &after))
        status = heed_file_write(path, after.data, after.length, error);
    heed_buffer_free(&before);
    heed_buffer_free(&after);
    json_decref(written);
    json_decref(source);
    return status;
}

/* Did heed write a file of this name into the folder itself? */
static bool is_replaced(const char *name, bool wrote_tokenizer)
{
    if (strcmp(name, heed_sidecar_config_name) == 0) return true;
    if (strncmp(name, heed_sidecar_template_folder, strlen(heed_sidecar_template_folder)) == 0)
        return wrote_tokenizer;
    for (size_t i = 0; i < heed_sidecar_carried_count; i++)
        if (strcmp(heed_sidecar_carried[i].name, name) == 0)
            return wrote_tokenizer && heed_sidecar_carried[i].is_written;
    return false;
}

/* Writes a file and makes its folder if its name has one. */
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
        if (strcmp(file->name, heed_sidecar_config_name) == 0)
            status = amend_config(file, path, error);
        else if (!is_replaced(file->name, wrote_tokenizer)) status = write_file(file, path, error);
        free(path);
    }
    return status;
}
