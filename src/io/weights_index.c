/* weights_index.c: reads shards under an index. The index decides: a tensor is read from the shard
   that the index names. An entry whose shard cannot be read is lost, which matters only to a model
   that needs it. Tensors that the index does not name, or names in another shard, are read and
   noted. */
#include "io/weights_internal.h"

#include "base/file.h"
#include "base/json.h"
#include <stdlib.h>
#include <string.h>

static int compare_shards(const void *a, const void *b)
{
    return strcmp(((const heed_shard *)a)->name, ((const heed_shard *)b)->name);
}

/* Orders by name. If names are equal, a listed tensor comes first, then the order of the shards
   counts. */
static int compare_candidates(const void *a, const void *b)
{
    const heed_member *left = a;
    const heed_member *right = b;
    int order = strcmp(left->tensor.name, right->tensor.name);
    if (order) return order;
    if (left->listed != right->listed) return left->listed ? -1 : 1;
    return (left->shard > right->shard) - (left->shard < right->shard);
}

/* Orders by shard, then by place in the shard. */
static int compare_places(const void *a, const void *b)
{
    const heed_member *left = a;
    const heed_member *right = b;
    if (left->shard != right->shard) return left->shard < right->shard ? -1 : 1;
    if (left->tensor.offset != right->tensor.offset)
        return left->tensor.offset < right->tensor.offset ? -1 : 1;
    return strcmp(left->tensor.name, right->tensor.name);
}

/* Is this the name of a file beside the index? Any other name could lead out of the model's
   folder. */
static bool plain_name(const char *name)
{
    return *name && *name != '.' && !strpbrk(name, "/\\") && !strstr(name, "..");
}

/* Returns the name of a shard as an index has it, without "./"; NULL if it is not a string. */
static const char *shard_name(const json_t *value)
{
    const char *name = json_string_value(value);
    return name && !strncmp(name, "./", 2) ? name + 2 : name;
}

/* Lists the distinct names of shards in the map, sorted. */
static heed_status list_shards(heed_weights_file *file, json_t *map, heed_error *error)
{
    size_t names = json_object_size(map);
    size_t kept = 0;
    const char *key;
    json_t *value;
    if (!names)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: weight_map is empty, expected tensor names with their files",
                         file->path);
    file->shards = heed_allocate(names, sizeof *file->shards);
    if (!file->shards) return heed_fail_memory(error, names * sizeof *file->shards, file->path);
    json_object_foreach(map, key, value)
    {
        const char *name = shard_name(value);
        if (!name)
            return heed_fail(error, HEED_E_FORMAT,
                             "%s: weight_map \"%.128s\" is no string, expected the name of a file",
                             file->path, key);
        file->shards[file->shard_count++].name = name;
    }
    qsort(file->shards, file->shard_count, sizeof *file->shards, compare_shards);
    for (size_t i = 0; i < file->shard_count; i++)
        if (i == 0 || strcmp(file->shards[kept - 1].name, file->shards[i].name))
            file->shards[kept++].name = file->shards[i].name;
    file->shard_count = kept;
    return HEED_OK;
}

/* Opens one shard. If it cannot be read, that is recorded in the shard and is not yet an error. */
static heed_status open_shard(heed_weights_file *file, heed_shard *shard, const char *folder,
                              heed_error *error)
{
    heed_error problem = {0};
    char *path = heed_path_join(folder, shard->name);
    if (!path) return heed_fail_memory(error, strlen(folder), file->path);
    if (plain_name(shard->name))
        shard->status = heed_safetensors_open(&shard->file, path, &problem);
    else
        shard->status = heed_fail(&problem, HEED_E_FORMAT,
                                  "weight_map names \"%.64s\", expected a file beside the index, "
                                  "without a path",
                                  shard->name);
    free(path);
    if (shard->status == HEED_OK) return HEED_OK;
    if (shard->status == HEED_E_NOMEM) return heed_fail(error, HEED_E_NOMEM, "%s", problem.message);
    heed_error_prefix(&problem, "%s", file->path);
    shard->problem = heed_arena_string(file->arena, problem.message);
    return shard->problem ? HEED_OK : heed_fail_memory(error, sizeof problem.message, file->path);
}

/* Opens all shards. Fails if none can be read. */
static heed_status open_shards(heed_weights_file *file, const char *folder, heed_error *error)
{
    size_t opened = 0;
    for (size_t i = 0; i < file->shard_count; i++) {
        HEED_TRY(open_shard(file, &file->shards[i], folder, error));
        opened += file->shards[i].status == HEED_OK;
    }
    if (opened) return HEED_OK;
    return heed_fail(error, file->shards[0].status, "%s", file->shards[0].problem);
}

/* Returns the shard that the index names for a tensor; NULL if it does not name the tensor. */
static const heed_shard *shard_of(const heed_weights_file *file, json_t *map, const char *tensor)
{
    const heed_shard wanted = {.name = shard_name(json_object_get(map, tensor))};
    if (!wanted.name) return NULL;
    return bsearch(&wanted, file->shards, file->shard_count, sizeof *file->shards, compare_shards);
}

/* Lists all tensors of all shards in the order of compare_candidates. */
static heed_status list_candidates(heed_weights_file *file, json_t *map, heed_member **candidates,
                                   size_t *count, heed_error *error)
{
    size_t total = 0;
    for (size_t i = 0; i < file->shard_count; i++) total += heed_shard_size(&file->shards[i]);
    heed_member *list = heed_allocate(total, sizeof *list);
    if (!list) return heed_fail_memory(error, total * sizeof *list, file->path);
    for (size_t i = 0; i < file->shard_count; i++)
        for (size_t j = 0; j < heed_shard_size(&file->shards[i]); j++) {
            heed_member *one = &list[(*count)++];
            *one = (heed_member){.tensor = *heed_shard_at(&file->shards[i], j), .shard = i};
            one->listed = shard_of(file, map, one->tensor.name) == &file->shards[i];
        }
    qsort(list, total, sizeof *list, compare_candidates);
    *candidates = list;
    return HEED_OK;
}

/* Counts of the candidates that are not where the index says, and the first of each sort: second
   copies, tensors that the index does not name, tensors that it names in another shard. */
typedef struct {
    size_t stale, unnamed, moved;
    const heed_member *first_stale, *first_unnamed, *first_moved;
} oddities;

static void count_oddity(size_t *count, const heed_member **first, const heed_member *member)
{
    if (!*count) *first = member;
    (*count)++;
}

/* Does a candidate become a member? `copies` candidates have its name. One that the index names in
   another shard, which cannot be read, may be out of date. Of two that the index does not name,
   neither can be preferred. */
static bool choose(const heed_weights_file *file, json_t *map, const heed_member *one,
                   size_t copies, oddities *odd)
{
    const heed_shard *named = shard_of(file, map, one->tensor.name);
    for (size_t i = 1; one->listed && i < copies; i++)
        count_oddity(&odd->stale, &odd->first_stale, one + i);
    if (one->listed) return true;
    if (copies > 1 || (named && named->status != HEED_OK)) return false;
    if (named) count_oddity(&odd->moved, &odd->first_moved, one);
    else count_oddity(&odd->unnamed, &odd->first_unnamed, one);
    return true;
}

/* Adds a note for each sort of oddity that occurs. */
static heed_status note_oddities(heed_weights_file *file, const oddities *odd, heed_error *error)
{
    if (odd->stale)
        HEED_TRY(heed_weights_note(file, error,
                                   "%s: tensor \"%.128s\" in %s is a second copy (%zu such): the "
                                   "copy in the shard that the index names is read",
                                   file->path, odd->first_stale->tensor.name,
                                   odd->first_stale->tensor.file, odd->stale));
    if (odd->unnamed)
        HEED_TRY(heed_weights_note(file, error,
                                   "%s: the index does not name %zu tensor%s of its shards, the "
                                   "first is \"%.128s\" in %s: what the model has a place for is "
                                   "read",
                                   file->path, odd->unnamed, odd->unnamed == 1 ? "" : "s",
                                   odd->first_unnamed->tensor.name,
                                   odd->first_unnamed->tensor.file));
    if (odd->moved)
        HEED_TRY(heed_weights_note(file, error,
                                   "%s: tensor \"%.128s\" is not in the shard that the index names "
                                   "(%zu such): it is read from %s",
                                   file->path, odd->first_moved->tensor.name, odd->moved,
                                   odd->first_moved->tensor.file));
    return HEED_OK;
}

/* Records a lost tensor and why: its shard cannot be read or does not have it (`shard`), or several
   shards hold it and the index does not name it (NULL). */
static heed_status add_lost(heed_weights_file *file, const char *name, const heed_shard *shard,
                            heed_error *error)
{
    heed_lost_tensor *lost = &file->lost[file->lost_count++];
    char text[1024];
    if (shard && shard->status != HEED_OK)
        snprintf(text, sizeof text, "%s (tensor \"%.128s\" is in it)", shard->problem, name);
    else if (shard)
        snprintf(text, sizeof text,
                 "%s: weight_map says tensor \"%.128s\" is in %s, but it is not there; index and "
                 "shards are of different models",
                 file->path, name, shard->name);
    else
        snprintf(text, sizeof text,
                 "%s: tensor \"%.128s\" is in several shards, and the index names none of them",
                 file->path, name);
    *lost = (heed_lost_tensor){heed_arena_string(file->arena, name),
                               shard && shard->status != HEED_OK ? shard->status : HEED_E_FORMAT,
                               heed_arena_string(file->arena, text)};
    return lost->name && lost->problem ? HEED_OK : heed_fail_memory(error, sizeof text, file->path);
}

static int compare_name(const void *name, const void *member)
{
    return strcmp(name, ((const heed_member *)member)->tensor.name);
}

static bool is_member(const heed_weights_file *file, const char *name)
{
    return file->count &&
           bsearch(name, file->members, file->count, sizeof *file->members, compare_name) != NULL;
}

/* Records the entries of the index without a member as lost. `members` are in the order of their
   names. */
static heed_status list_lost(heed_weights_file *file, json_t *map, heed_error *error)
{
    const char *key;
    json_t *value;
    json_object_foreach(map, key, value)
    {
        if (is_member(file, key)) continue;
        HEED_TRY(add_lost(file, key, shard_of(file, map, key), error));
    }
    heed_weights_sort_lost(file);
    return HEED_OK;
}

/* Chooses the members among the tensors of all shards and records what is lost. */
static heed_status join_shards(heed_weights_file *file, json_t *map, heed_error *error)
{
    heed_member *candidates = NULL;
    size_t count = 0;
    size_t copies;
    oddities odd = {0};
    HEED_TRY(list_candidates(file, map, &candidates, &count, error));
    size_t most = json_object_size(map) + count;
    file->members = heed_allocate(count, sizeof *file->members);
    file->lost = heed_allocate(most, sizeof *file->lost);
    heed_status status = HEED_OK;
    if (!file->members || !file->lost)
        status = heed_fail_memory(error, most * sizeof *candidates, file->path);
    for (size_t i = 0; status == HEED_OK && i < count; i += copies) {
        const heed_member *one = &candidates[i];
        copies = 1;
        while (i + copies < count && !strcmp(one->tensor.name, one[copies].tensor.name)) copies++;
        if (choose(file, map, one, copies, &odd)) file->members[file->count++] = *one;
        else if (!json_object_get(map, one->tensor.name))
            status = add_lost(file, one->tensor.name, NULL, error);
    }
    if (status == HEED_OK) status = list_lost(file, map, error);
    if (status == HEED_OK) status = note_oddities(file, &odd, error);
    if (status == HEED_OK && file->count)
        qsort(file->members, file->count, sizeof *file->members, compare_places);
    free(candidates);
    return status == HEED_OK ? heed_weights_order(file, error) : status;
}

heed_status heed_weights_open_index(heed_weights_file *file, const char *path, heed_error *error)
{
    json_t *index = NULL;
    HEED_TRY(heed_json_read(&index, path, error));
    json_t *map = json_object_get(index, "weight_map");
    heed_status status = HEED_OK;
    if (json_is_object(map)) status = list_shards(file, map, error);
    else
        status = heed_fail(error, HEED_E_FORMAT,
                           "%s: weight_map is missing or no object, expected tensor names with "
                           "their files",
                           path);
    char *folder = heed_string_copy(path);
    if (!folder && status == HEED_OK) status = heed_fail_memory(error, strlen(path), path);
    if (status == HEED_OK) {
        char *slash = strrchr(folder, '/');
        if (slash) slash[1] = 0;
        status = open_shards(file, slash ? folder : ".", error);
    }
    if (status == HEED_OK) status = join_shards(file, map, error);
    /* borrowed from the index */
    for (size_t i = 0; i < file->shard_count; i++) file->shards[i].name = NULL;
    free(folder);
    json_decref(index);
    return status;
}

heed_status heed_weights_index_of(const char *path, char **index, bool *named, heed_error *error)
{
    const char *slash = strrchr(path, '/');
    const char *own = slash ? slash + 1 : path;
    json_t *json = NULL;
    const char *key;
    json_t *value;
    char *folder = heed_path_folder(path);
    *index = folder ? heed_path_join(folder, "model.safetensors.index.json") : NULL;
    *named = false;
    free(folder);
    if (!*index) return heed_fail_memory(error, strlen(path), path);
    if (heed_gguf_is_file(path) || !heed_path_exists(*index)) return HEED_OK;
    if (heed_json_read(&json, *index, NULL) != HEED_OK) return HEED_OK; /* the file is read alone */
    json_object_foreach(json_object_get(json, "weight_map"), key, value)
    {
        const char *shard = shard_name(value);
        *named = *named || (shard && !strcmp(shard, own));
    }
    json_decref(json);
    return HEED_OK;
}
