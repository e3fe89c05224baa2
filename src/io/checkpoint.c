/* Writing checkpoints. What a kill at any moment can leave behind: a folder checkpoint-N.tmp or checkpoint-N.old, links NAME.tmp,
   and last or the links in RUN one step behind. heed_checkpoint_prepare (checkpoint_find.c) repairs all of these. */
#define _GNU_SOURCE
#include "io/checkpoint.h"

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "io/checkpoint_run.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Adds every file below `folder` to `files` ("inner/name": size) and syncs it and the folders. */
static heed_status record_and_sync(const char *folder, const char *prefix, json_t *files, heed_error *error)
{
    DIR *stream = opendir(folder);
    if (!stream) return heed_fail_system(error, "open the folder", folder);
    heed_status status = HEED_OK;
    for (struct dirent *entry; status == HEED_OK && (entry = readdir(stream));) {
        struct stat information;
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        char *path = heed_path_join(folder, entry->d_name), *inner = heed_path_join(prefix, entry->d_name);
        if (!path || !inner) status = heed_fail_memory(error, strlen(folder) + 256, folder);
        else if (lstat(path, &information) != 0) status = heed_fail_system(error, "inspect", path);
        else if (S_ISDIR(information.st_mode)) status = record_and_sync(path, inner, files, error);
        else if (!S_ISREG(information.st_mode))
            status = heed_fail(error, HEED_E_ARG, "%s: a checkpoint holds files and folders only", path);
        else if (json_object_set_new(files, inner, json_integer(information.st_size)) != 0)
            status = heed_fail_memory(error, strlen(inner), path);
        else status = heed_path_sync(path, error);
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

/* {"step": N, "files": {...}} with sorted names: equal checkpoints have equal manifests. */
static heed_status put_manifest(heed_buffer *text, int64_t step, json_t *files, heed_error *error)
{
    size_t count = 0;
    const char **names = heed_allocate(json_object_size(files), sizeof *names), *key;
    json_t *size;
    if (!names) return heed_fail_memory(error, json_object_size(files) * sizeof *names, HEED_CHECKPOINT_MANIFEST);
    json_object_foreach(files, key, size) names[count++] = key;
    if (count) qsort(names, count, sizeof *names, compare_strings);
    heed_buffer_printf(text, "{\n  \"step\": %lld,\n  \"files\": {", (long long)step);
    for (size_t i = 0; i < count; i++) {
        heed_buffer_text(text, i ? ",\n    " : "\n    ");
        heed_json_put_string(text, names[i], strlen(names[i]));
        heed_buffer_printf(text, ": %lld", (long long)json_integer_value(json_object_get(files, names[i])));
    }
    heed_buffer_text(text, "\n  }\n}\n");
    free(names);
    return text->failed ? heed_fail_memory(error, text->length, HEED_CHECKPOINT_MANIFEST) : HEED_OK;
}

/* Everything in `folder` is on disk afterwards, the manifest last. */
static heed_status seal(const char *folder, int64_t step, heed_error *error)
{
    heed_buffer manifest = {0};
    json_t *files = json_object();
    char *path = heed_path_join(folder, HEED_CHECKPOINT_MANIFEST);
    heed_status status = files && path ? record_and_sync(folder, "", files, error)
                                       : heed_fail_memory(error, strlen(folder) + 32, folder);
    if (status == HEED_OK) status = put_manifest(&manifest, step, files, error);
    if (status == HEED_OK) status = heed_file_write(path, manifest.data, manifest.length, error);
    free(path);
    json_decref(files);
    heed_buffer_free(&manifest);
    return status;
}

/* Puts the sealed folder in its place. An older checkpoint of the same step is swapped out in one move where the file system can;
   else it stands aside as .old for a moment, from where heed_checkpoint_prepare brings it back if the second move never came. */
static heed_status publish(const char *temporary, const char *final, heed_error *error)
{
    heed_status status = HEED_OK;
    if (rename(temporary, final) == 0) return HEED_OK;
    if (errno != EEXIST && errno != ENOTEMPTY) return heed_fail_system(error, "rename into place", final);
#ifdef RENAME_EXCHANGE
    if (renameat2(AT_FDCWD, temporary, AT_FDCWD, final, RENAME_EXCHANGE) == 0) return heed_directory_remove(temporary, error);
#endif
    heed_buffer old = {0};
    heed_buffer_printf(&old, "%s.old", final);
    if (old.failed) status = heed_fail_memory(error, strlen(final) + 5, final);
    else status = heed_directory_remove(old.data, error);
    if (status == HEED_OK && (rename(final, old.data) != 0 || rename(temporary, final) != 0))
        status = heed_fail_system(error, "rename into place", final);
    if (status == HEED_OK) status = heed_directory_remove(old.data, error);
    heed_buffer_free(&old);
    return status;
}

static heed_status fill_and_publish(const char *run, int64_t step, heed_checkpoint_fill *fill, void *context, heed_error *error)
{
    heed_buffer final = {0}, temporary = {0};
    heed_buffer_printf(&final, "%s/checkpoint-%lld", run, (long long)step);
    heed_buffer_printf(&temporary, "%s/checkpoint-%lld.tmp", run, (long long)step);
    heed_status status = HEED_OK;
    if (final.failed || temporary.failed) status = heed_fail_memory(error, strlen(run) + 64, run);
    if (status == HEED_OK) status = heed_directory_remove(temporary.data, error);
    if (status == HEED_OK) status = heed_directory_make(temporary.data, error);
    if (status == HEED_OK) {
        status = fill(context, temporary.data, error);
        if (status == HEED_OK) status = seal(temporary.data, step, error);
        if (status == HEED_OK) status = publish(temporary.data, final.data, error);
        if (status != HEED_OK) heed_directory_remove(temporary.data, NULL);
    }
    if (status == HEED_OK) status = heed_path_sync(run, error);
    heed_buffer_free(&final);
    heed_buffer_free(&temporary);
    return status;
}

heed_status heed_checkpoint_write(const char *run, int64_t step, heed_checkpoint_fill *fill, void *context,
                                  const heed_checkpoint_options *options, heed_error *error)
{
    if (step < 0) return heed_fail(error, HEED_E_ARG, "checkpoint of step %lld: expected a step >= 0", (long long)step);
    HEED_TRY(fill_and_publish(run, step, fill, context, error));
    HEED_TRY(heed_run_show(run, step, options->private_files, error));
    if (options->best) HEED_TRY(heed_run_point(run, "best", step, error));
    return options->keep > 0 ? heed_run_prune(run, (size_t)options->keep, error) : HEED_OK;
}
