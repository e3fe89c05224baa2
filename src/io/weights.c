#include "io/weights_internal.h"

#include "base/file.h"
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

size_t heed_shard_size(const heed_shard *shard)
{
    if (shard->gguf) return heed_gguf_count(shard->gguf);
    return shard->file ? heed_safetensors_count(shard->file) : 0;
}

const heed_stored_tensor *heed_shard_at(const heed_shard *shard, size_t index)
{
    return shard->gguf ? heed_gguf_at(shard->gguf, index) : heed_safetensors_at(shard->file, index);
}

heed_status heed_weights_note(heed_weights_file *file, heed_error *error, const char *format, ...)
{
    enum { MOST_NOTES = 8 };
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (!file->notes) file->notes = heed_arena_take(file->arena, MOST_NOTES, sizeof *file->notes);
    if (file->note_count == MOST_NOTES) return HEED_OK;
    const char *copy = file->notes ? heed_arena_string(file->arena, text) : NULL;
    if (!copy) return heed_fail_memory(error, sizeof text, "a note");
    file->notes[file->note_count++] = copy;
    return HEED_OK;
}

static int compare_members(const void *a, const void *b)
{
    const heed_member *const *left = a;
    const heed_member *const *right = b;
    return strcmp((*left)->tensor.name, (*right)->tensor.name);
}

heed_status heed_weights_order(heed_weights_file *file, heed_error *error)
{
    if (!file->by_name) file->by_name = heed_allocate(file->count, sizeof *file->by_name);
    if (!file->by_name)
        return heed_fail_memory(error, file->count * sizeof *file->by_name, file->path);
    file->bytes = 0;
    for (size_t i = 0; i < file->count; i++) {
        file->by_name[i] = &file->members[i];
        file->bytes += file->members[i].tensor.bytes; /* cannot wrap: no disk is that large */
    }
    if (file->count) qsort(file->by_name, file->count, sizeof *file->by_name, compare_members);
    return HEED_OK;
}

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

/* A file alone, or, if an index beside it names it, all shards of that. */
static heed_status open_named(heed_weights_file *file, const char *path, heed_error *error)
{
    char *index = NULL;
    bool shard = false;
    HEED_TRY(heed_weights_index_of(path, &index, &shard, error));
    heed_status status = HEED_OK;
    if (shard) {
        file->path = heed_arena_string(file->arena, index);
        status = file->path ? heed_weights_open_index(file, index, error)
                            : heed_fail_memory(error, strlen(index) + 1, index);
    } else {
        status = open_single(file, path, error);
    }
    if (shard && status == HEED_OK)
        status = heed_weights_note(file, error,
                                   "%s is one shard of a model: all that the index beside it names "
                                   "are read",
                                   path);
    free(index);
    return status;
}

/* Says how the .safetensors file of a folder that has none by the usual name can be read. */
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

/* Says what else is in the folder: a pickle runs code when it is loaded, heed never does that. */
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

/* Says what is in a folder without weights by the usual names. */
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

static heed_status open_folder(heed_weights_file *file, const char *folder, heed_error *error)
{
    char *single = heed_path_join(folder, "model.safetensors"),
         *index = heed_path_join(folder, "model.safetensors.index.json");
    heed_status status;
    if (!single || !index) status = heed_fail_memory(error, strlen(folder) + 32, folder);
    else if (heed_path_exists(single)) {
        status = open_single(file, single, error);
        if (status == HEED_OK && heed_path_exists(index))
            status = heed_weights_note(
                file, error,
                "%s: the folder has model.safetensors and "
                "model.safetensors.index.json: model.safetensors is read, as in "
                "transformers",
                folder);
    } else if (heed_path_exists(index)) {
        file->path = heed_arena_string(file->arena, index);
        status = file->path ? heed_weights_open_index(file, index, error)
                            : heed_fail_memory(error, strlen(index) + 1, index);
    } else status = fail_without_weights(folder, error);
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

size_t heed_weights_file_count(const heed_weights_file *file)
{
    return file->count;
}

const heed_stored_tensor *heed_weights_file_at(const heed_weights_file *file, size_t index)
{
    return &file->members[index].tensor;
}

bool heed_weights_file_is_listed(const heed_weights_file *file, size_t index)
{
    return file->members[index].listed;
}

static int compare_name(const void *name, const void *member)
{
    return strcmp(name, (*(const heed_member *const *)member)->tensor.name);
}

static const heed_member *find(const heed_weights_file *file, const char *name)
{
    if (!file->count) return NULL;
    heed_member *const *found = bsearch(name, file->by_name, file->count, sizeof *file->by_name,
                                        compare_name);
    return found ? *found : NULL;
}

const heed_stored_tensor *heed_weights_file_find(const heed_weights_file *file, const char *name)
{
    const heed_member *found = find(file, name);
    return found ? &found->tensor : NULL;
}

heed_status heed_weights_file_check_unchanged(const heed_weights_file *file, heed_error *error)
{
    for (size_t i = 0; i < file->shard_count; i++) {
        const heed_shard *one = &file->shards[i];
        if (one->gguf) HEED_TRY(heed_gguf_check_unchanged(one->gguf, error));
        if (one->file) HEED_TRY(heed_safetensors_check_unchanged(one->file, error));
    }
    return HEED_OK;
}

static int compare_lost_name(const void *name, const void *lost)
{
    return strcmp(name, ((const heed_lost_tensor *)lost)->name);
}

static const heed_lost_tensor *find_lost(const heed_weights_file *file, const char *name)
{
    if (!file->lost_count) return NULL;
    return bsearch(name, file->lost, file->lost_count, sizeof *file->lost, compare_lost_name);
}

bool heed_weights_file_is_lost(const heed_weights_file *file, const char *name)
{
    return find_lost(file, name) != NULL;
}

heed_status heed_weights_file_check(const heed_weights_file *file, const char *name,
                                    heed_error *error)
{
    const heed_lost_tensor *found = find_lost(file, name);
    return found ? heed_fail(error, found->status, "%s", found->problem) : HEED_OK;
}

size_t heed_weights_file_lost_count(const heed_weights_file *file)
{
    return file->lost_count;
}

const char *heed_weights_file_lost(const heed_weights_file *file, size_t index)
{
    return file->lost[index].problem;
}

size_t heed_weights_file_note_count(const heed_weights_file *file)
{
    return file->note_count;
}

const char *heed_weights_file_note(const heed_weights_file *file, size_t index)
{
    return file->notes[index];
}

size_t heed_weights_file_bytes(const heed_weights_file *file)
{
    return file->bytes;
}

const char *heed_weights_file_path(const heed_weights_file *file)
{
    return file->path;
}

const heed_gguf *heed_weights_file_gguf(const heed_weights_file *file)
{
    return file->shard_count == 1 ? file->shards[0].gguf : NULL;
}
