/* Writes checkpoints. A kill at any moment can leave folders, links and files under temporary
   names, and last or the links in RUN one step late. heed_checkpoint_prepare (checkpoint_find.c)
   repairs all of these. */
#define _GNU_SOURCE
#include "train/checkpoint.h"

#include "base/file.h"
#include "base/buffer.h"
#include "train/checkpoint_internal.h"
#include "io/manifest.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Writes the manifest and syncs everything in `folder` to disk, the manifest last. */
static heed_status seal(const char *folder, int64_t step, heed_error *error)
{
    char head[64];
    snprintf(head, sizeof head, "\"step\": %lld", (long long)step);
    return heed_manifest_seal(folder, HEED_CHECKPOINT_MANIFEST, head, false, error);
}

/* Moves the sealed folder to its final name. An older checkpoint of the same step is exchanged in
   one move if the file system can do that. Otherwise it gets a temporary name first, and
   heed_checkpoint_prepare moves it back if the second move did not happen. */
static heed_status publish(const char *temporary, const char *final, heed_error *error)
{
    heed_status status = HEED_OK;
    if (rename(temporary, final) == 0) return HEED_OK;
    if (errno != EEXIST && errno != ENOTEMPTY)
        return heed_fail_system(error, "rename into place", final);
#ifdef RENAME_EXCHANGE
    if (renameat2(AT_FDCWD, temporary, AT_FDCWD, final, RENAME_EXCHANGE) == 0)
        return heed_directory_remove(temporary, error);
#endif
    char *run = heed_path_folder(final), *old = run ? heed_temporary_path(run) : NULL;
    if (!old) status = heed_fail_memory(error, strlen(final) + HEED_TEMPORARY_NAME, final);
    else if (rename(final, old) != 0 || rename(temporary, final) != 0)
        status = heed_fail_system(error, "rename into place", final);
    else status = heed_directory_remove(old, error);
    free(run);
    free(old);
    return status;
}

/* Fills a temporary folder and moves it to its final name. step -1: the folder is not a checkpoint
   and gets no manifest. */
static heed_status fill_and_publish(const char *final, int64_t step, heed_checkpoint_fill *fill,
                                    void *context, heed_error *error)
{
    char *temporary = NULL, *run = heed_path_folder(final);
    if (!run) return heed_fail_memory(error, strlen(final) + 1, final);
    heed_status status = heed_temporary_directory(run, &temporary, error);
    if (status == HEED_OK) {
        status = fill(context, temporary, error);
        if (status == HEED_OK && step >= 0) status = seal(temporary, step, error);
        if (status == HEED_OK && step < 0) status = heed_path_sync(temporary, error);
        if (status == HEED_OK) status = publish(temporary, final, error);
        if (status != HEED_OK) heed_directory_remove(temporary, NULL);
    }
    free(temporary);
    free(run);
    return status;
}

heed_status heed_checkpoint_write_model(const char *run, const char *name,
                                        heed_checkpoint_fill *fill, void *context,
                                        heed_error *error)
{
    char *final = heed_path_join(run, name);
    if (!final) return heed_fail_memory(error, strlen(run) + 64, run);
    heed_status status = fill_and_publish(final, -1, fill, context, error);
    free(final);
    return status == HEED_OK ? heed_path_sync(run, error) : status;
}

static heed_status write_checkpoint(const char *run, int64_t step, heed_checkpoint_fill *fill,
                                    void *context, heed_error *error)
{
    char name[64];
    snprintf(name, sizeof name, "checkpoint-%lld", (long long)step);
    char *final = heed_path_join(run, name);
    if (!final) return heed_fail_memory(error, strlen(run) + 64, run);
    heed_status status = fill_and_publish(final, step, fill, context, error);
    free(final);
    return status == HEED_OK ? heed_path_sync(run, error) : status;
}

heed_status heed_checkpoint_write(const char *run, int64_t step, heed_checkpoint_fill *fill,
                                  void *context, const heed_checkpoint_options *options,
                                  heed_error *error)
{
    if (step < 0)
        return heed_fail(error, HEED_E_ARG, "checkpoint of step %lld: expected a step >= 0",
                         (long long)step);
    HEED_TRY(write_checkpoint(run, step, fill, context, error));
    HEED_TRY(heed_checkpoint_show(run, step, options->private_files, error));
    if (options->best) HEED_TRY(heed_checkpoint_point(run, "best", step, error));
    return options->keep > 0 ? heed_checkpoint_prune(run, (size_t)options->keep, error) : HEED_OK;
}
