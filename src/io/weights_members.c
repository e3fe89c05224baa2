/* weights_members.c: finds what open weights consist of: shards, tensors, lost tensors, notes. */
#include "io/weights_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
        file->bytes += file->members[i].tensor.bytes; /* cannot overflow: no disk is that large */
    }
    if (file->count) qsort(file->by_name, file->count, sizeof *file->by_name, compare_members);
    return HEED_OK;
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

static int compare_lost(const void *a, const void *b)
{
    return strcmp(((const heed_lost_tensor *)a)->name, ((const heed_lost_tensor *)b)->name);
}

void heed_weights_sort_lost(heed_weights_file *file)
{
    if (file->lost_count) qsort(file->lost, file->lost_count, sizeof *file->lost, compare_lost);
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
