#include "io/manifest.h"

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Adds every file below `folder` to `files` ("inner/name": size) and syncs it and the folders. */
static heed_status record_and_sync(const char *folder, const char *prefix, json_t *files,
                                   heed_error *error)
{
    DIR *stream = opendir(folder);
    if (!stream) return heed_fail_system(error, "open the folder", folder);
    heed_status status = HEED_OK;
    for (struct dirent *entry; status == HEED_OK && (entry = readdir(stream));) {
        struct stat information;
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        char *path = heed_path_join(folder, entry->d_name),
             *inner = heed_path_join(prefix, entry->d_name);
        if (!path || !inner)
            status = heed_fail_memory(error, strlen(folder) + 256, folder);
        else if (lstat(path, &information) != 0)
            status = heed_fail_system(error, "inspect", path);
        else if (S_ISDIR(information.st_mode))
            status = record_and_sync(path, inner, files, error);
        else if (!S_ISREG(information.st_mode))
            status = heed_fail(error, HEED_E_ARG, "%s: a model folder holds files and folders only",
                               path);
        else if (json_object_set_new(files, inner, json_integer(information.st_size)) != 0)
            status = heed_fail_memory(error, strlen(inner), path);
        else
            status = heed_path_sync(path, error);
        free(path);
        free(inner);
    }
    closedir(stream);
    return status == HEED_OK ? heed_path_sync(folder, error) : status;
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static heed_status put_manifest(heed_buffer *text, const char *head, json_t *files,
                                heed_error *error)
{
    size_t count = 0;
    const char **names = heed_allocate(json_object_size(files), sizeof *names), *key;
    json_t *size;
    if (!names)
        return heed_fail_memory(error, json_object_size(files) * sizeof *names,
                                "the list of files");
    json_object_foreach(files, key, size) names[count++] = key;
    if (count) qsort(names, count, sizeof *names, compare_strings);
    heed_buffer_printf(text, "{\n  %s,\n  \"files\": {", head);
    for (size_t i = 0; i < count; i++) {
        heed_buffer_text(text, i ? ",\n    " : "\n    ");
        heed_json_put_string(text, names[i], strlen(names[i]));
        heed_buffer_printf(text, ": %lld",
                           (long long)json_integer_value(json_object_get(files, names[i])));
    }
    heed_buffer_text(text, "\n  }\n}\n");
    free(names);
    return text->failed ? heed_fail_memory(error, text->length, "the list of files") : HEED_OK;
}

heed_status heed_manifest_seal(const char *folder, const char *name, const char *head,
                               heed_error *error)
{
    heed_buffer manifest = {0};
    json_t *files = json_object();
    char *path = heed_path_join(folder, name);
    heed_status status = files && path ? record_and_sync(folder, "", files, error)
                                       : heed_fail_memory(error, strlen(folder) + 32, folder);
    if (status == HEED_OK) status = put_manifest(&manifest, head, files, error);
    if (status == HEED_OK) status = heed_file_write(path, manifest.data, manifest.length, error);
    free(path);
    json_decref(files);
    heed_buffer_free(&manifest);
    return status;
}
