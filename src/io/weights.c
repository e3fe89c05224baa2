/* weights.c: opens a model's weights and decides which file, index or folder a path means. */
#include "io/weights_internal.h"

#include "base/file.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Opens a single file. */
static heed_status open_single(heed_weights_file *file, const char *path, heed_error *error)
{
    file->shards = heed_allocate(1, sizeof *file->shards);
    if (!file->shards) return heed_fail_memory(error, sizeof *file->shards, path);
    heed_shard *shard = file->shards;
    if (heed_gguf_is_file(path)) HEED_TRY(heed_gguf_open(&shard->gguf, path, error));
    else HEED_TRY(heed_safetensors_open(&shard->file, path, error));
    file->shard_count = 1;
    file->members = heed_allocate(heed_shard_size(shard), sizeof *file->members);
    if (!file->members)
        return heed_fail_memory(error, heed_shard_size(shard) * sizeof *file->members, path);
    for (size_t i = 0; i < heed_shard_size(shard); i++)
        file->members[file->count++] = (heed_member){*heed_shard_at(shard, i), 0, true};
    return heed_weights_order(file, error);
}

static bool ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);
    return a >= b && !strcasecmp(text + a - b, end);
}

bool heed_weights_is_name(const char *path)
{
    bool named = ends_with(path, ".safetensors") || ends_with(path, ".safetensors.index.json");
    return named && !heed_path_is_directory(path) && !heed_gguf_is_file(path);
}

char *heed_weights_folder(const char *path)
{
    return heed_weights_is_name(path) ? heed_path_folder(path) : heed_string_copy(path);
}

/* Opens all shards of an index, which becomes the path of the weights. */
static heed_status open_index(heed_weights_file *file, const char *index, heed_error *error)
{
    file->path = heed_arena_string(file->arena, index);
    if (!file->path) return heed_fail_memory(error, strlen(index) + 1, index);
    return heed_weights_open_index(file, index, error);
}

/* Opens a file alone, or all shards if an index beside it names it. */
static heed_status open_named(heed_weights_file *file, const char *path, heed_error *error)
{
    char *index = NULL;
    bool shard = false;
    HEED_TRY(heed_weights_index_of(path, &index, &shard, error));
    heed_status status;
    if (shard) status = open_index(file, index, error);
    else status = open_single(file, path, error);
    if (shard && status == HEED_OK)
        status = heed_weights_note(file, error,
                                   "%s is one shard of a model: all that the index beside it names "
                                   "are read",
                                   path);
    free(index);
    return status;
}

/* Returns an error that tells how to read a .safetensors file of another than the usual name. */
static heed_status fail_with_name(const char *folder, const char *name, heed_error *error)
{
    if (strstr(name, "adapter"))
        return heed_fail(
            error, HEED_E_UNSUPPORTED,
            "%s: only the weights of an adapter are here (%s): merge it into its model", folder,
            name);
    if (strstr(name, "-of-"))
        return heed_fail(error, HEED_E_IO,
                         "%s: %s is a shard, but model.safetensors.index.json, which names all of "
                         "them, is missing: fetch it too",
                         folder, name);
    return heed_fail(error, HEED_E_IO,
                     "%s: no model.safetensors; if %s/%s holds the weights, give its path instead",
                     folder, folder, name);
}

/* Returns an error if the file is weights of a format that heed does not read. Pickled weights can
   run code when they are loaded, so heed never reads them. */
static heed_status fail_with_others(const char *folder, const char *name, heed_error *error)
{
    static const struct {
        const char *ending, *what;
    } others[] = {
        {".bin", "pickled weights"},   {".pt", "pickled weights"},
        {".pth", "pickled weights"},   {".ckpt", "pickled weights"},
        {".h5", "TensorFlow weights"}, {".bin.index.json", "pickled weights"},
        {".onnx", "an ONNX graph"},    {".msgpack", "Flax weights"},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (ends_with(name, others[i].ending))
            return heed_fail(
                error, HEED_E_UNSUPPORTED,
                "%s: only %s (%s); heed never reads those (a pickle can run code): save "
                "the model as safetensors, in Python with "
                "model.save_pretrained(folder, safe_serialization=True)",
                folder, others[i].what, name);
    return HEED_OK;
}

/* Returns an error that tells what a folder without weights of the usual names holds. */
static heed_status fail_without_weights(const char *folder, heed_error *error)
{
    heed_status status = HEED_OK;
    for (int pass = 0; pass < 2 && status == HEED_OK; pass++) {
        DIR *stream = opendir(folder);
        for (struct dirent *entry; stream && status == HEED_OK && (entry = readdir(stream));)
            if (pass == 1) status = fail_with_others(folder, entry->d_name, error);
            else if (ends_with(entry->d_name, ".safetensors"))
                status = fail_with_name(folder, entry->d_name, error);
        if (stream) closedir(stream);
    }
    if (status != HEED_OK) return status;
    return heed_fail(error, HEED_E_IO,
                     "%s: no weights; expected model.safetensors or model.safetensors.index.json "
                     "with its shards",
                     folder);
}

/* Opens the weights of a folder: model.safetensors, or the shards of its index. */
static heed_status open_folder(heed_weights_file *file, const char *folder, heed_error *error)
{
    char *single = heed_path_join(folder, "model.safetensors");
    char *index = heed_path_join(folder, "model.safetensors.index.json");
    heed_status status;
    if (!single || !index) status = heed_fail_memory(error, strlen(folder) + 32, folder);
    else if (heed_path_exists(single)) {
        status = open_single(file, single, error);
        if (status == HEED_OK && heed_path_exists(index))
            status = heed_weights_note(
                file, error,
                "%s: the folder has model.safetensors and model.safetensors.index.json: "
                "model.safetensors is read, as in transformers",
                folder);
    } else if (heed_path_exists(index)) {
        status = open_index(file, index, error);
    } else {
        status = fail_without_weights(folder, error);
    }
    free(single);
    free(index);
    return status;
}

heed_status heed_weights_file_open(heed_weights_file **result, const char *path, heed_error *error)
{
    *result = NULL;
    heed_weights_file *file = heed_allocate(1, sizeof *file);
    if (!file) return heed_fail_memory(error, sizeof *file, path);
    file->arena = heed_arena_new();
    if (file->arena) file->path = heed_arena_string(file->arena, path);
    heed_status status;
    if (!file->path) status = heed_fail_memory(error, strlen(path) + 1, path);
    else if (heed_path_is_directory(path)) status = open_folder(file, path, error);
    else if (ends_with(path, ".index.json")) status = heed_weights_open_index(file, path, error);
    else status = open_named(file, path, error);
    if (status == HEED_OK) *result = file;
    else heed_weights_file_close(file);
    return status;
}

void heed_weights_file_close(heed_weights_file *file)
{
    if (!file) return;
    for (size_t i = 0; i < file->shard_count; i++) {
        heed_safetensors_close(file->shards[i].file);
        heed_gguf_close(file->shards[i].gguf);
    }
    heed_arena_free(file->arena);
    free(file->shards);
    free(file->members);
    free(file->by_name);
    free(file->lost);
    free(file);
}
