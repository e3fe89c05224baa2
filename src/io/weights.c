#include "io/weights.h"

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* One file of the model: safetensors or GGUF, the other is NULL. */
typedef struct { const char *name; heed_safetensors *file; heed_gguf *gguf; } shard;

/* A tensor of the namespace and the shard it lies in. */
typedef struct { const heed_stored_tensor *tensor; size_t shard; } member;

struct heed_weights_file {
    heed_arena *arena;
    const char *path;
    shard *shards;   /* sorted by name once all are known */
    size_t shard_count;
    member *members; /* shard by shard */
    member *by_name;
    size_t count, bytes;
};

static size_t shard_size(const shard *shard)
{
    return shard->gguf ? heed_gguf_count(shard->gguf) : heed_safetensors_count(shard->file);
}

static int compare_shards(const void *a, const void *b)
{
    return strcmp(((const shard *)a)->name, ((const shard *)b)->name);
}

static int compare_members(const void *a, const void *b)
{
    return strcmp(((const member *)a)->tensor->name, ((const member *)b)->tensor->name);
}

/* Gathers the tensors of all shards; a name in two shards is an error. */
static heed_status join_shards(heed_weights_file *file, heed_error *error)
{
    size_t total = 0;
    for (size_t i = 0; i < file->shard_count; i++) total += shard_size(&file->shards[i]);
    file->members = heed_allocate(total, sizeof *file->members);
    file->by_name = heed_allocate(total, sizeof *file->by_name);
    if (!file->members || !file->by_name) return heed_fail_memory(error, 2 * total * sizeof *file->members, file->path);
    for (size_t i = 0; i < file->shard_count; i++)
        for (size_t j = 0; j < shard_size(&file->shards[i]); j++) {
            const shard *from = &file->shards[i];
            const heed_stored_tensor *tensor = from->gguf ? heed_gguf_at(from->gguf, j) : heed_safetensors_at(from->file, j);
            file->members[file->count++] = (member){tensor, i};
            file->bytes += tensor->bytes; /* cannot wrap: the shards are mapped, all of them fit the address space */
        }
    if (!total) return HEED_OK;
    memcpy(file->by_name, file->members, total * sizeof *file->members);
    qsort(file->by_name, total, sizeof *file->by_name, compare_members);
    for (size_t i = 1; i < total; i++)
        if (compare_members(&file->by_name[i - 1], &file->by_name[i]) == 0)
            return heed_fail(error, HEED_E_FORMAT, "%s: tensor \"%.128s\" is in %s and in %s, expected one of them", file->path,
                             file->by_name[i].tensor->name, file->by_name[i - 1].tensor->file, file->by_name[i].tensor->file);
    return HEED_OK;
}

static heed_status open_single(heed_weights_file *file, const char *path, heed_error *error)
{
    file->shards = heed_allocate(1, sizeof *file->shards);
    if (!file->shards) return heed_fail_memory(error, sizeof *file->shards, path);
    if (heed_gguf_is_file(path)) HEED_TRY(heed_gguf_open(&file->shards[0].gguf, path, error));
    else HEED_TRY(heed_safetensors_open(&file->shards[0].file, path, error));
    file->shard_count = 1;
    return join_shards(file, error);
}

/* A shard is a file beside the index: anything else could reach outside the model's folder. */
static bool plain_name(const char *name)
{
    return *name && *name != '.' && !strpbrk(name, "/\\") && !strstr(name, "..");
}

/* The distinct shard names of the map, sorted. */
static heed_status list_shards(heed_weights_file *file, json_t *map, heed_error *error)
{
    size_t names = json_object_size(map), kept = 0;
    if (!names)
        return heed_fail(error, HEED_E_FORMAT, "%s: weight_map is empty, expected tensor names with their files", file->path);
    file->shards = heed_allocate(names, sizeof *file->shards);
    if (!file->shards) return heed_fail_memory(error, names * sizeof *file->shards, file->path);
    const char *key;
    json_t *value;
    json_object_foreach(map, key, value) {
        const char *name = json_string_value(value);
        if (!name || !plain_name(name))
            return heed_fail(error, HEED_E_FORMAT, "%s: weight_map \"%.128s\" names \"%.64s\", expected a file beside the "
                             "index, without a path",
                             file->path, key, name ? name : "no string");
        file->shards[file->shard_count++].name = name;
    }
    qsort(file->shards, file->shard_count, sizeof *file->shards, compare_shards);
    for (size_t i = 0; i < file->shard_count; i++)
        if (i == 0 || strcmp(file->shards[kept - 1].name, file->shards[i].name)) file->shards[kept++].name = file->shards[i].name;
    file->shard_count = kept;
    return HEED_OK;
}

static heed_status open_shards(heed_weights_file *file, const char *folder, heed_error *error)
{
    for (size_t i = 0; i < file->shard_count; i++) {
        char *path = heed_path_join(folder, file->shards[i].name);
        if (!path) return heed_fail_memory(error, strlen(folder), file->path);
        heed_status status = heed_safetensors_open(&file->shards[i].file, path, error);
        free(path);
        if (status != HEED_OK) return heed_error_prefix(error, "%s", file->path), status;
    }
    return HEED_OK;
}

/* Index and shards must say the same: each named tensor is in the shard named for it, each tensor of a shard is named. */
static heed_status compare_with_map(const heed_weights_file *file, json_t *map, heed_error *error)
{
    const char *key;
    json_t *value;
    json_object_foreach(map, key, value) {
        const shard wanted = {.name = json_string_value(value)};
        const shard *found = bsearch(&wanted, file->shards, file->shard_count, sizeof *file->shards, compare_shards);
        if (!heed_safetensors_find(found->file, key))
            return heed_fail(error, HEED_E_FORMAT, "%s: weight_map says tensor \"%.128s\" is in %s, but it is not there; index "
                             "and shards are of different models", file->path, key, wanted.name);
    }
    size_t unnamed = 0;
    const heed_stored_tensor *first = NULL;
    for (size_t i = 0; i < file->count; i++) {
        if (json_object_get(map, file->members[i].tensor->name)) continue;
        if (!unnamed++) first = file->members[i].tensor;
    }
    if (!unnamed) return HEED_OK;
    return heed_fail(error, HEED_E_FORMAT, "%s: weight_map lacks %zu of the tensors in its shards, the first is \"%.128s\" in %s",
                     file->path, unnamed, first->name, first->file);
}

static heed_status open_index(heed_weights_file *file, const char *path, heed_error *error)
{
    json_t *index = NULL, *map;
    HEED_TRY(heed_json_read(&index, path, error));
    map = json_object_get(index, "weight_map");
    heed_status status = json_is_object(map) ? list_shards(file, map, error)
                       : heed_fail(error, HEED_E_FORMAT, "%s: weight_map is missing or no object, expected tensor names with "
                                   "their files", path);
    char *folder = heed_string_copy(path);
    if (!folder && status == HEED_OK) status = heed_fail_memory(error, strlen(path), path);
    if (status == HEED_OK) {
        char *slash = strrchr(folder, '/');
        if (slash) slash[1] = 0;
        status = open_shards(file, slash ? folder : ".", error);
    }
    if (status == HEED_OK) status = join_shards(file, error);
    if (status == HEED_OK) status = compare_with_map(file, map, error);
    for (size_t i = 0; i < file->shard_count; i++) file->shards[i].name = NULL; /* they belonged to the index */
    free(folder);
    json_decref(index);
    return status;
}

static bool ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);
    return a >= b && !strcmp(text + a - b, end);
}

/* Says what is in a folder without readable weights: a pickle runs code when it is loaded, heed never does that. */
static heed_status fail_without_weights(const char *folder, heed_error *error)
{
    static const struct { const char *ending, *what; } others[] = {
        {".bin", "pickled weights"}, {".pt", "pickled weights"}, {".pth", "pickled weights"}, {".ckpt", "pickled weights"},
        {".bin.index.json", "pickled weights"}, {".h5", "TensorFlow weights"}, {".msgpack", "Flax weights"},
        {".onnx", "an ONNX graph"}};
    DIR *stream = opendir(folder);
    heed_status status = HEED_OK;
    for (struct dirent *entry; stream && status == HEED_OK && (entry = readdir(stream));)
        for (size_t i = 0; i < sizeof others / sizeof *others && status == HEED_OK; i++)
            if (ends_with(entry->d_name, others[i].ending))
                status = heed_fail(error, HEED_E_UNSUPPORTED,
                                   "%s: only %s (%s); heed never reads those (a pickle can run code): save the model "
                                   "as safetensors, in Python with model.save_pretrained(folder, safe_serialization=True)",
                                   folder, others[i].what, entry->d_name);
    if (stream) closedir(stream);
    if (status != HEED_OK) return status;
    return heed_fail(error, HEED_E_IO, "%s: no weights; expected model.safetensors or model.safetensors.index.json with its "
                     "shards", folder);
}

static heed_status open_folder(heed_weights_file *file, const char *folder, heed_error *error)
{
    char *single = heed_path_join(folder, "model.safetensors"), *index = heed_path_join(folder, "model.safetensors.index.json");
    heed_status status;
    if (!single || !index) status = heed_fail_memory(error, strlen(folder) + 32, folder);
    else if (heed_path_exists(single)) status = open_single(file, single, error);
    else if (heed_path_exists(index)) {
        file->path = heed_arena_string(file->arena, index);
        status = file->path ? open_index(file, index, error) : heed_fail_memory(error, strlen(index) + 1, index);
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
    else if (ends_with(path, ".index.json")) status = open_index(file, path, error);
    else status = open_single(file, path, error);
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
    free(file);
}

size_t heed_weights_file_count(const heed_weights_file *file)
{
    return file->count;
}

const heed_stored_tensor *heed_weights_file_at(const heed_weights_file *file, size_t index)
{
    return file->members[index].tensor;
}

static const member *find(const heed_weights_file *file, const char *name)
{
    const heed_stored_tensor named = {.name = name};
    const member wanted = {.tensor = &named};
    return file->count ? bsearch(&wanted, file->by_name, file->count, sizeof *file->by_name, compare_members) : NULL;
}

const heed_stored_tensor *heed_weights_file_find(const heed_weights_file *file, const char *name)
{
    const member *found = find(file, name);
    return found ? found->tensor : NULL;
}

void heed_weights_file_release(const heed_weights_file *file, const heed_stored_tensor *tensor)
{
    const shard *from = &file->shards[find(file, tensor->name)->shard];
    if (from->gguf) heed_gguf_release(from->gguf, tensor);
    else heed_safetensors_release(from->file, tensor);
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
