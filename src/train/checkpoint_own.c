/* Tells which entries of a run folder are heed's own. */
#include "base/entries.h"
#include "base/file.h"
#include "base/memory.h"
#include "train/checkpoint.h"
#include "train/checkpoint_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_one_of(const char *name, const char *const *names)
{
    while (*names && strcmp(name, *names) != 0) names++;
    return *names != NULL;
}

static bool is_own_file(const char *name)
{
    static const char *const names[] = {".lock",         "run.json",     "log.jsonl",    "loss.svg",
                                        "log.jsonl.tmp", "loss.svg.tmp", "run.json.tmp", NULL};
    return is_one_of(name, names);
}

static bool is_own_folder(const char *name)
{
    static const char *const names[] = {"average", "average.tmp", "average.old", "initial.tmp",
                                        NULL};
    static const char *const endings[] = {"", ".tmp", ".old"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (heed_checkpoint_step_of(name, endings[i]) >= 0) return true;
    return is_one_of(name, names);
}

static heed_status check_own(void *context, const char *run, const char *name, const char *path,
                             const struct stat *information, heed_error *error)
{
    const bool *training = context;
    bool own = heed_temporary_is_name(name) || strcmp(name, ".lock") == 0;
    if (*training && S_ISREG(information->st_mode)) own |= is_own_file(name);
    if (*training && S_ISDIR(information->st_mode)) own |= is_own_folder(name);
    if (*training) own |= heed_checkpoint_is_link(path, information);
    if (own) return HEED_OK;
    return heed_fail(
        error, HEED_E_ARG,
        "%s: the folder holds %s, which is not from a training: choose another folder, "
        "or move it away",
        run, name);
}

heed_status heed_checkpoint_check_run(const char *run, bool training, heed_error *error)
{
    if (!heed_path_is_directory(run)) return HEED_OK;
    return heed_for_each_entry(run, check_own, &training, error);
}

/* ---- links that somebody replaced ---- */

typedef struct {
    const char *run, *const *private_files;
    char *found; /* buffer for one name */
    size_t size;
} detached_job;

static bool ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

/* Does this file decide which model RUN is? */
static bool is_identity(const char *name)
{
    return strcmp(name, "config.json") == 0 || ends_with(name, ".safetensors") ||
           ends_with(name, ".safetensors.index.json");
}

static heed_status look_up(void *context, const char *folder, const char *name, const char *path,
                           const struct stat *information, heed_error *error)
{
    (void)folder;
    (void)path;
    const detached_job *job = context;
    struct stat there;
    if (!S_ISREG(information->st_mode) || strcmp(name, HEED_CHECKPOINT_MANIFEST) == 0)
        return HEED_OK;
    if (job->private_files && is_one_of(name, job->private_files)) return HEED_OK;
    char *own = heed_path_join(job->run, name);
    if (!own) return heed_fail_memory(error, strlen(job->run) + 256, job->run);
    bool detached = lstat(own, &there) == 0 && !S_ISLNK(there.st_mode);
    free(own);
    if (!detached) return HEED_OK;
    if (is_identity(name))
        return heed_fail(error, HEED_E_ARG,
                         "%s: %s is a file of its own, where the run keeps a link to its newest "
                         "checkpoint: what is trained would never show; move it away",
                         job->run, name);
    snprintf(job->found, job->size, "%s", name);
    return HEED_OK;
}

heed_status heed_checkpoint_check_links(const char *run, const char *checkpoint,
                                        const char *const *private_files, char *found, size_t size,
                                        heed_error *error)
{
    detached_job job = {run, private_files, found, size};
    *found = 0;
    return heed_for_each_entry(checkpoint, look_up, &job, error);
}
