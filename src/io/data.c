/* data.c: opens data files and folders and gives access to what was read. */
#include "io/data.h"

#include "io/data_internal.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct {
    const char **names;
    size_t count, capacity;
} path_list;

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Adds the data files in `folder` and below it, unsorted. Links to folders are not followed, since
   they may form cycles. */
static heed_status list_folder(path_list *list, heed_arena *arena, const char *folder,
                               heed_error *error)
{
    DIR *stream = opendir(folder);
    if (!stream) return heed_fail_system(error, "open the folder", folder);
    heed_status status = HEED_OK;
    for (struct dirent *entry; status == HEED_OK && (entry = readdir(stream));) {
        struct stat information;
        if (entry->d_name[0] == '.') continue;
        char *path = heed_path_join(folder, entry->d_name);
        if (!path) status = heed_fail_memory(error, strlen(folder) + 256, folder);
        else if (lstat(path, &information) == 0 && S_ISDIR(information.st_mode))
            status = list_folder(list, arena, path, error);
        else if (heed_data_in_folder(entry->d_name)) {
            char *kept = heed_arena_string(arena, path);
            if (!kept ||
                !heed_grow(&list->names, &list->capacity, list->count + 1, sizeof *list->names))
                status = heed_fail_memory(error, strlen(path) + 1, folder);
            else list->names[list->count++] = kept;
        }
        free(path);
    }
    closedir(stream);
    return status;
}

static heed_status read_file(heed_data *data, const char *path, heed_error *error)
{
    heed_data_reader *read = heed_data_reader_for(path, error);
    return read ? read(data, path, error) : HEED_E_UNSUPPORTED;
}

/* Reads the data files of a folder in the order of their paths. HEED_E_IO if it has none. */
static heed_status read_folder(heed_data *data, const char *folder, heed_error *error)
{
    path_list list = {0};
    heed_status status = list_folder(&list, data->arena, folder, error);
    if (status == HEED_OK && list.count == 0)
        status = heed_fail(
            error, HEED_E_IO,
            "%s: no data in this folder; expected .txt, .md, .jsonl, .tsv or .bin files", folder);
    if (list.count) qsort(list.names, list.count, sizeof *list.names, compare_paths);
    for (size_t i = 0; i < list.count && status == HEED_OK; i++)
        status = read_file(data, list.names[i], error);
    free(list.names);
    return status;
}

static heed_status data_new(heed_data **data, heed_error *error)
{
    *data = heed_allocate(1, sizeof **data);
    if (*data && ((*data)->arena = heed_arena_new())) return HEED_OK;
    heed_data_close(*data);
    *data = NULL;
    return heed_fail_memory(error, sizeof **data, "the list of data files");
}

/* Returns the data, or closes it after a failure. Data of blank lines or empty strings alone is an
   error, as an empty file is. */
static heed_status finish(heed_data **result, heed_data *data, heed_status status,
                          const char *first_path, heed_error *error)
{
    if (status == HEED_OK && data->bytes == 0)
        status = heed_fail(error, HEED_E_FORMAT,
                           "%s: there is no text in it, expected at least one character",
                           first_path);
    if (status == HEED_OK) *result = data;
    else heed_data_close(data);
    return status;
}

static heed_status read_paths(heed_data *data, const heed_data_files *files, heed_error *error)
{
    heed_status status = HEED_OK;
    for (size_t i = 0; i < files->count && status == HEED_OK; i++) {
        const char *path = heed_arena_string(data->arena, files->paths[i]);
        if (!path) status = heed_fail_memory(error, strlen(files->paths[i]) + 1, files->paths[i]);
        else if (heed_path_is_directory(path)) status = read_folder(data, path, error);
        else status = read_file(data, path, error);
    }
    return status;
}

/* Reads two aligned files. */
static heed_status read_pairs(heed_data *data, const heed_data_files *files, heed_error *error)
{
    const char *source = heed_arena_string(data->arena, files->paths[0]);
    const char *target = heed_arena_string(data->arena, files->paths[1]);
    size_t bytes = strlen(files->paths[0]) + strlen(files->paths[1]) + 2;
    if (!source || !target) return heed_fail_memory(error, bytes, files->paths[0]);
    for (int i = 0; i < 2; i++)
        if (!heed_data_reader_for(files->paths[i], error)) return HEED_E_UNSUPPORTED;
    return heed_data_read_aligned(data, source, target, error);
}

heed_status heed_data_open_files(heed_data **result, const heed_data_files *files,
                                 heed_error *error)
{
    heed_data *data = NULL;
    *result = NULL;
    if (files->count == 0)
        return heed_fail(error, HEED_E_ARG, "no data files given, expected at least one");
    HEED_TRY(data_new(&data, error));
    data->cancel = files->cancel;
    heed_status status;
    if (files->pairs) status = read_pairs(data, files, error);
    else status = read_paths(data, files, error);
    data->cancel = (heed_cancel){0};
    return finish(result, data, status, files->paths[0], error);
}

heed_status heed_data_open(heed_data **result, const char *const *paths, size_t count,
                           heed_error *error)
{
    return heed_data_open_files(result, &(heed_data_files){.paths = paths, .count = count}, error);
}

heed_status heed_data_open_pairs(heed_data **result, const char *source_path,
                                 const char *target_path, heed_error *error)
{
    const char *const paths[] = {source_path, target_path};
    return heed_data_open_files(
        result, &(heed_data_files){.paths = paths, .count = 2, .pairs = true}, error);
}

void heed_data_close(heed_data *data)
{
    if (!data) return;
    for (size_t i = 0; i < data->file_count; i++) free(data->files[i]);
    for (size_t i = 0; data->shards && i < data->count; i++)
        heed_file_reader_close(&data->shards[i].reader);
    heed_arena_free(data->arena);
    free(data->files);
    free(data->documents);
    free(data->origins);
    free(data->pairs);
    free(data->shards);
    free(data);
}

heed_data_kind heed_data_kind_of(const heed_data *data)
{
    return data->kind;
}

size_t heed_data_count(const heed_data *data)
{
    return data->count;
}

size_t heed_data_bytes(const heed_data *data)
{
    return data->bytes;
}

heed_text heed_data_document(const heed_data *data, size_t index)
{
    return data->documents[index];
}

void heed_data_place(const heed_data *data, size_t index, char *place, size_t size)
{
    snprintf(place, size, "%.250s, line %zu", data->origins[index].path, data->origins[index].line);
}

heed_text_pair heed_data_pair(const heed_data *data, size_t index)
{
    return data->pairs[index];
}

heed_token_shard heed_data_shard(const heed_data *data, size_t index)
{
    return data->shards[index].shard;
}
