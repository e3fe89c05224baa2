/* Finds, repairs and prunes checkpoints in a run folder. */
#include "base/entries.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "train/checkpoint.h"
#include "train/checkpoint_internal.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int64_t heed_checkpoint_step_of(const char *name, const char *ending)
{
    static const char prefix[] = "checkpoint-";
    char *end;
    if (strncmp(name, prefix, sizeof prefix - 1)) return -1;
    const char *digits = name + sizeof prefix - 1;
    if (*digits < '0' || *digits > '9' || (*digits == '0' && digits[1] >= '0' && digits[1] <= '9'))
        return -1;
    errno = 0;
    long long step = strtoll(digits, &end, 10);
    return errno == 0 && !strcmp(end, ending) ? step : -1;
}

/* Returns the path of a checkpoint; NULL if memory is out. */
static char *path_of(const char *run, int64_t step)
{
    heed_buffer path = {0};
    heed_buffer_printf(&path, "%s/checkpoint-%lld", run, (long long)step);
    if (path.failed) heed_buffer_free(&path);
    return path.data;
}

typedef struct {
    int64_t *steps;
    size_t count, capacity;
} step_list;

static heed_status add_step(void *context, const char *run, const char *name, const char *path,
                            const struct stat *information, heed_error *error)
{
    (void)path;
    step_list *list = context;
    int64_t step = heed_checkpoint_step_of(name, "");
    if (step < 0 || !S_ISDIR(information->st_mode)) return HEED_OK;
    if (!heed_grow(&list->steps, &list->capacity, list->count + 1, sizeof *list->steps))
        return heed_fail_memory(error, (list->count + 1) * sizeof *list->steps, run);
    list->steps[list->count++] = step;
    return HEED_OK;
}

static int newest_first(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left < right) - (left > right);
}

/* Lists the steps that have a folder, newest first. Free list->steps in every case. */
static heed_status list_steps(step_list *list, const char *run, heed_error *error)
{
    *list = (step_list){0};
    HEED_TRY(heed_for_each_entry(run, add_step, list, error));
    if (list->count) qsort(list->steps, list->count, sizeof *list->steps, newest_first);
    return HEED_OK;
}

static bool inside(const char *name)
{
    return *name && *name != '/' && strcmp(name, "..") && strncmp(name, "../", 3) &&
           !strstr(name, "/../");
}

/* Returns HEED_E_FORMAT unless folder/name exists with the size that the manifest says. */
static heed_status check_file(const char *folder, const char *name, const json_t *size,
                              heed_error *error)
{
    struct stat information;
    char *file = heed_path_join(folder, name);
    if (!file) return heed_fail_memory(error, strlen(folder) + strlen(name) + 2, folder);
    bool there = inside(name) && stat(file, &information) == 0 && S_ISREG(information.st_mode);
    free(file);
    if (there && json_is_integer(size) && information.st_size == json_integer_value(size))
        return HEED_OK;
    return heed_fail(error, HEED_E_FORMAT,
                     "%s: %.128s is missing or not of the size that %s says: the checkpoint is "
                     "incomplete, use an older one",
                     folder, name, HEED_CHECKPOINT_MANIFEST);
}

static heed_status check_files(const char *folder, json_t *files, heed_error *error)
{
    const char *name;
    json_t *size;
    json_object_foreach(files, name, size)
    {
        HEED_TRY(check_file(folder, name, size, error));
    }
    return HEED_OK;
}

heed_status heed_checkpoint_check(const char *folder, int64_t *step, heed_error *error)
{
    json_t *manifest = NULL;
    int64_t found = -1;
    char *path = heed_path_join(folder, HEED_CHECKPOINT_MANIFEST);
    if (!path) return heed_fail_memory(error, strlen(folder) + 32, folder);
    heed_status status = heed_json_read(&manifest, path, error);
    if (status == HEED_OK) status = heed_json_integer(manifest, "step", &found, path, error);
    json_t *files = json_object_get(manifest, "files");
    if (status == HEED_OK && (found < 0 || !json_is_object(files)))
        status = heed_fail(error, HEED_E_FORMAT, "%s: expected \"step\" and \"files\"", path);
    if (status == HEED_OK) status = check_files(folder, files, error);
    if (status == HEED_OK) *step = found;
    json_decref(manifest);
    free(path);
    return status;
}

heed_status heed_checkpoint_newest(const char *run, char **path, int64_t *step, heed_error *error)
{
    step_list list;
    *path = NULL;
    if (!heed_path_is_directory(run)) return HEED_OK;
    heed_status status = list_steps(&list, run, error);
    for (size_t i = 0; i < list.count && status == HEED_OK && !*path; i++) {
        int64_t said;
        heed_error problem = {0};
        char *folder = path_of(run, list.steps[i]);
        if (!folder) status = heed_fail_memory(error, strlen(run) + 64, run);
        else if (heed_checkpoint_check(folder, &said, &problem) == HEED_OK &&
                 said == list.steps[i]) {
            *path = folder;
            *step = said;
            folder = NULL;
        } else if (problem.status == HEED_E_NOMEM)
            status = heed_fail(error, HEED_E_NOMEM, "%s", problem.message);
        free(folder);
    }
    free(list.steps);
    return status;
}

heed_status heed_checkpoint_point(const char *run, const char *name, int64_t step,
                                  heed_error *error)
{
    char target[64], *link = heed_path_join(run, name);
    if (!link) return heed_fail_memory(error, strlen(run) + 64, run);
    snprintf(target, sizeof target, "checkpoint-%lld", (long long)step);
    heed_status status = heed_link_replace(target, link, error);
    free(link);
    return status;
}

/* *step becomes the step that the link RUN/name points to, or -1 if it is no such link. */
static heed_status read_pointer(int64_t *step, const char *run, const char *name, heed_error *error)
{
    char target[64], *link = heed_path_join(run, name);
    *step = -1;
    if (!link) return heed_fail_memory(error, strlen(run) + 64, run);
    ssize_t length = readlink(link, target, sizeof target - 1);
    free(link);
    if (length <= 0) return HEED_OK;
    target[length] = 0;
    *step = heed_checkpoint_step_of(target, "");
    return HEED_OK;
}

typedef struct {
    const char *run, *const *private_files;
} link_job;

/* Makes `link` a link to `target`, unless it is that already or is a file of its own. */
static heed_status keep_link(const char *link, const char *target, heed_error *error)
{
    char found[512];
    struct stat there;
    bool exists = lstat(link, &there) == 0;
    ssize_t length = exists ? readlink(link, found, sizeof found) : -1;
    bool right = length == (ssize_t)strlen(target) && !memcmp(found, target, (size_t)length);
    if (right || (exists && !S_ISLNK(there.st_mode))) return HEED_OK;
    return heed_link_replace(target, link, error);
}

static heed_status link_file(void *context, const char *folder, const char *name, const char *path,
                             const struct stat *information, heed_error *error)
{
    (void)folder;
    (void)path;
    const link_job *job = context;
    bool linked = S_ISREG(information->st_mode) || S_ISDIR(information->st_mode);
    if (!linked || !strcmp(name, HEED_CHECKPOINT_MANIFEST)) return HEED_OK;
    for (const char *const *private = job->private_files; private && *private; private ++)
        if (!strcmp(name, *private)) return HEED_OK;
    char *link = heed_path_join(job->run, name), *target = heed_path_join("last", name);
    heed_status status = HEED_OK;
    if (link && target) status = keep_link(link, target, error);
    else status = heed_fail_memory(error, strlen(job->run) + strlen(name) + 8, job->run);
    free(link);
    free(target);
    return status;
}

/* Removes a link through last if the newest checkpoint no longer has the file. Such a link would
   make RUN look like another kind of model. */
static heed_status drop_stale_link(void *context, const char *run, const char *name,
                                   const char *path, const struct stat *information,
                                   heed_error *error)
{
    (void)context;
    (void)run;
    (void)name;
    char target[6];
    if (!S_ISLNK(information->st_mode) || readlink(path, target, 5) != 5 ||
        memcmp(target, "last/", 5))
        return HEED_OK;
    if (heed_path_exists(path)) return HEED_OK;
    return unlink(path) == 0 ? HEED_OK : heed_fail_system(error, "remove the link", path);
}

heed_status heed_checkpoint_show(const char *run, int64_t step, const char *const *private_files,
                                 heed_error *error)
{
    link_job job = {run, private_files};
    int64_t last = -1;
    char *folder = path_of(run, step);
    if (!folder) return heed_fail_memory(error, strlen(run) + 64, run);
    heed_status status = heed_for_each_entry(folder, link_file, &job, error);
    free(folder);
    if (status == HEED_OK) status = read_pointer(&last, run, "last", error);
    if (status == HEED_OK && last != step) status = heed_checkpoint_point(run, "last", step, error);
    return status == HEED_OK ? heed_for_each_entry(run, drop_stale_link, NULL, error) : status;
}

/* Renames a checkpoint before it removes it: under a temporary name a half-removed checkpoint does
   not count as one. */
static heed_status remove_checkpoint(const char *run, int64_t step, heed_error *error)
{
    char *path = path_of(run, step), *temporary = heed_temporary_path(run);
    heed_status status = HEED_OK;
    if (!path || !temporary) status = heed_fail_memory(error, strlen(run) + 64, run);
    if (status == HEED_OK && rename(path, temporary) != 0)
        status = heed_fail_system(error, "rename", path);
    if (status == HEED_OK) status = heed_directory_remove(temporary, error);
    free(path);
    free(temporary);
    return status;
}

heed_status heed_checkpoint_prune(const char *run, size_t keep, heed_error *error)
{
    step_list list;
    int64_t last, best;
    HEED_TRY(read_pointer(&last, run, "last", error));
    HEED_TRY(read_pointer(&best, run, "best", error));
    heed_status status = list_steps(&list, run, error);
    for (size_t i = keep; i < list.count && status == HEED_OK; i++)
        if (list.steps[i] != last && list.steps[i] != best)
            status = remove_checkpoint(run, list.steps[i], error);
    free(list.steps);
    return status;
}

bool heed_checkpoint_is_link(const char *path, const struct stat *information)
{
    char target[600];
    if (!S_ISLNK(information->st_mode)) return false;
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length <= 0) return false;
    target[length] = 0;
    return heed_checkpoint_step_of(target, "") >= 0 || !strncmp(target, "last/", 5);
}

/* Handles a folder with a temporary name: a complete checkpoint gets its final name if that is
   free; anything else is removed. */
static heed_status settle_folder(const char *run, const char *path, heed_error *error)
{
    int64_t step = -1;
    heed_error problem = {0};
    heed_status status = heed_checkpoint_check(path, &step, &problem);
    if (status == HEED_E_NOMEM) return heed_fail(error, status, "%s", problem.message);
    if (status != HEED_OK) return heed_directory_remove(path, error);
    char *final = path_of(run, step);
    if (!final) return heed_fail_memory(error, strlen(run) + 64, run);
    if (heed_path_exists(final)) status = heed_directory_remove(path, error);
    else if (rename(path, final) != 0) status = heed_fail_system(error, "bring back", path);
    free(final);
    return status;
}

/* Handles entries with temporary names. They are heed's, and no other process writes checkpoints
   now. */
static heed_status remove_leftover(void *context, const char *run, const char *name,
                                   const char *path, const struct stat *information,
                                   heed_error *error)
{
    (void)context;
    if (!heed_temporary_is_name(name)) return HEED_OK;
    if (S_ISDIR(information->st_mode)) return settle_folder(run, path, error);
    if (S_ISREG(information->st_mode)) heed_temporary_remove_abandoned(path);
    bool ours = heed_checkpoint_is_link(path, information);
    return !ours || unlink(path) == 0 ? HEED_OK : heed_fail_system(error, "remove", path);
}

heed_status heed_checkpoint_prepare(const char *run, const char *const *private_files,
                                    heed_error *error)
{
    char *newest = NULL;
    int64_t step = -1;
    HEED_TRY(heed_directory_make(run, error));
    HEED_TRY(heed_for_each_entry(run, remove_leftover, NULL, error));
    HEED_TRY(heed_checkpoint_newest(run, &newest, &step, error));
    if (!newest) return HEED_OK;
    free(newest);
    return heed_checkpoint_show(run, step, private_files, error);
}
