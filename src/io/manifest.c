/* manifest.c: writes manifests and compares files with them. */
#include "io/manifest.h"

#include "base/entries.h"
#include "base/file.h"
#include "base/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The most bytes of a file whose contents are listed. */
enum { MOST_READ = 1 << 24 };

/* Returns the 64-bit FNV-1a hash of bytes. It tells an edited file from the one written; it is not
   meant against attacks. */
static uint64_t fingerprint(const char *bytes, size_t count)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < count; i++) hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3u;
    return hash;
}

/* Sets *value to what a manifest says of a file: its size, or "size fingerprint". */
static heed_status describe(json_t **value, const char *path, int64_t size, bool contents,
                            heed_error *error)
{
    char text[64];
    *value = NULL;
    if (contents && size <= MOST_READ) {
        heed_buffer bytes = {0};
        HEED_TRY(heed_file_read(path, MOST_READ, &bytes, error));
        snprintf(text, sizeof text, "%lld %016llx", (long long)size,
                 (unsigned long long)fingerprint(bytes.data, bytes.length));
        heed_buffer_free(&bytes);
        *value = json_string(text);
    } else {
        *value = json_integer(size);
    }
    return *value ? HEED_OK : heed_fail_memory(error, sizeof text, path);
}

heed_status heed_manifest_matches(const json_t *value, const char *path, int64_t size, bool *same,
                                  heed_error *error)
{
    json_t *found = NULL;
    *same = false;
    const char *text = json_string_value(value);
    if (text && strtoll(text, NULL, 10) != size) return HEED_OK;
    HEED_TRY(describe(&found, path, size, text != NULL, error));
    *same = json_equal(value, found);
    json_decref(found);
    return HEED_OK;
}

typedef struct {
    json_t *files;
    const char *inner; /* "" or the path below the folder, which begins the names */
    bool contents;
} record_job;

/* Adds a file, or every file below a folder, to job->files and syncs it. */
static heed_status record_and_sync(void *context, const char *folder, const char *name,
                                   const char *path, const struct stat *information,
                                   heed_error *error)
{
    const record_job *job = context;
    (void)folder;
    json_t *value = NULL;
    char *inner = heed_path_join(job->inner, name);
    if (!inner) return heed_fail_memory(error, strlen(path), path);
    record_job below = {job->files, inner, job->contents};
    heed_status status = HEED_OK;
    if (S_ISDIR(information->st_mode))
        status = heed_for_each_entry(path, record_and_sync, &below, error);
    else if (!S_ISREG(information->st_mode))
        status = heed_fail(error, HEED_E_ARG, "%s: a model folder holds files and folders only",
                           path);
    else status = describe(&value, path, information->st_size, job->contents, error);
    if (status == HEED_OK && value && json_object_set_new(job->files, inner, value) != 0)
        status = heed_fail_memory(error, strlen(inner), path);
    free(inner);
    return status == HEED_OK ? heed_path_sync(path, error) : status;
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Appends the text of a manifest with its names sorted. */
static heed_status put_manifest(heed_buffer *text, const char *head, json_t *files,
                                heed_error *error)
{
    size_t count = 0;
    const char **names = heed_allocate(json_object_size(files), sizeof *names), *key;
    json_t *value;
    if (!names)
        return heed_fail_memory(error, json_object_size(files) * sizeof *names,
                                "the list of files");
    json_object_foreach(files, key, value) names[count++] = key;
    if (count) qsort(names, count, sizeof *names, compare_strings);
    heed_buffer_printf(text, "{\n  %s,\n  \"files\": {", head);
    for (size_t i = 0; i < count; i++) {
        heed_buffer_text(text, i ? ",\n    " : "\n    ");
        heed_json_put_string(text, names[i], strlen(names[i]));
        value = json_object_get(files, names[i]);
        if (json_is_string(value)) heed_buffer_printf(text, ": \"%s\"", json_string_value(value));
        else heed_buffer_printf(text, ": %lld", (long long)json_integer_value(value));
    }
    heed_buffer_text(text, "\n  }\n}\n");
    free(names);
    return text->failed ? heed_fail_memory(error, text->length, "the list of files") : HEED_OK;
}

heed_status heed_manifest_seal(const char *folder, const char *name, const char *head,
                               bool contents, heed_error *error)
{
    heed_buffer manifest = {0};
    record_job job = {json_object(), "", contents};
    char *path = heed_path_join(folder, name);
    heed_status status = HEED_OK;
    if (!job.files || !path) status = heed_fail_memory(error, strlen(folder) + 32, folder);
    if (status == HEED_OK) status = heed_for_each_entry(folder, record_and_sync, &job, error);
    if (status == HEED_OK) status = heed_path_sync(folder, error);
    if (status == HEED_OK) status = put_manifest(&manifest, head, job.files, error);
    if (status == HEED_OK) status = heed_file_write(path, manifest.data, manifest.length, error);
    free(path);
    json_decref(job.files);
    heed_buffer_free(&manifest);
    return status;
}
