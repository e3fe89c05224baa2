/* The run folder of a training: whose it is, and who writes there. */
#include "base/file.h"
#include "base/path.h"
#include "train/checkpoint.h"
#include "io/folder.h"
#include "train/trainer_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

heed_status heed_trainer_lock(heed_trainer *t, heed_error *error)
{
    char *path = heed_path_join(t->options.out, ".lock");
    heed_buffer taken = {0};
    heed_buffer_printf(&taken, "%s is being trained in", t->options.out);
    heed_status status = HEED_OK;
    if (path == NULL || taken.failed) status = heed_fail_memory(error, 256, "a path");
    else status = heed_lock_take(&t->lock, path, taken.data, error);
    heed_buffer_free(&taken);
    free(path);
    return status;
}

/* Checks that RUN is not inside a folder of data: its log.jsonl would be read as data when the
   training is resumed. */
static heed_status check_outside(const char *out, const char *const *data, size_t count,
                                 heed_error *error)
{
    for (size_t i = 0; i < count; i++) {
        char *folder = NULL;
        if (!heed_path_is_directory(data[i])) continue;
        HEED_TRY(heed_path_resolve(&folder, data[i], error));
        bool inside = heed_path_is_inside(out, folder);
        free(folder);
        if (inside)
            return heed_fail(error, HEED_E_ARG,
                             "%s lies in the data folder %s, and its log would be read as data: "
                             "choose a folder outside of it",
                             out, data[i]);
    }
    return HEED_OK;
}

/* Checks that RUN is neither inside the run of another training nor inside the data. */
static heed_status check_place(const heed_trainer *t, heed_error *error)
{
    const heed_run_options *o = &t->options;
    char *real = NULL;
    HEED_TRY(heed_path_resolve(&real, o->out, error));
    char *above = heed_path_folder(real);
    heed_status status = HEED_OK;
    if (above == NULL) status = heed_fail_memory(error, strlen(real), "a path");
    if (status == HEED_OK) status = check_outside(real, o->data, o->data_count, error);
    if (status == HEED_OK) status = check_outside(real, o->valid, o->valid_count, error);
    if (status == HEED_OK) status = heed_folder_check_above(above, error);
    free(above);
    free(real);
    return status;
}

/* *training becomes whether heed wrote RUN/run.json; HEED_E_ARG if it is something else. */
static heed_status read_owner(heed_trainer *t, bool *training, heed_error *error)
{
    heed_run_options found;
    heed_error problem = {0};
    char *path = heed_path_join(t->options.out, "run.json");
    if (path == NULL) return heed_fail_memory(error, 256, "a path");
    *training = heed_path_exists(path);
    heed_status status = HEED_OK;
    if (*training) status = heed_run_options_read(&found, path, t->arena, &problem);
    free(path);
    if (status == HEED_OK) return HEED_OK;
    if (status == HEED_E_NOMEM) return heed_fail(error, status, "%s", problem.message);
    return heed_fail(error, HEED_E_ARG,
                     "%s: the folder holds a run.json that is not from a training of heed (%s): "
                     "choose another folder, or move it away",
                     t->options.out, problem.message);
}

/* *step becomes the step of RUN's newest complete checkpoint, or -1 if there is none. */
static heed_status find_step(const heed_trainer *t, int64_t *step, heed_error *error)
{
    char *newest = NULL;
    *step = -1;
    heed_status status = heed_checkpoint_newest(t->options.out, &newest, step, error);
    free(newest);
    return status;
}

heed_status heed_trainer_take_folder(heed_trainer *t, heed_error *error)
{
    const char *out = t->options.out;
    bool training = false;
    int64_t step = -1;
    t->existed = SIZE_MAX;
    char *existing = heed_path_existing(out, &t->existed);
    if (existing == NULL) return heed_fail_memory(error, strlen(out), "a path");
    free(existing);
    HEED_TRY(heed_folder_check_name(out, error));
    HEED_TRY(check_place(t, error));
    HEED_TRY(heed_directory_make(out, error));
    HEED_TRY(read_owner(t, &training, error));
    if (training) HEED_TRY(find_step(t, &step, error));
    if (step < 0) HEED_TRY(heed_checkpoint_check_run(out, training, error));
    HEED_TRY(heed_trainer_lock(t, error));
    HEED_TRY(heed_checkpoint_prepare(out, heed_trainer_private_files, error));
    HEED_TRY(find_step(t, &step, error));
    if (step < 0) return HEED_OK;
    return heed_fail(error, HEED_E_ARG,
                     "%s holds a training already (%" PRId64 " updates): go on with --resume, or "
                     "choose another folder",
                     out, step);
}

heed_status heed_trainer_check_links(heed_trainer *t, const char *checkpoint, heed_error *error)
{
    char name[256], text[600];
    HEED_TRY(heed_checkpoint_check_links(t->options.out, checkpoint, heed_trainer_private_files,
                                         name, sizeof name, error));
    if (*name == 0) return HEED_OK;
    snprintf(text, sizeof text,
             "%.200s/%s is a file of its own: it counts there in place of the checkpoints' files",
             t->options.out, name);
    return heed_trainer_note(t, text, error);
}

void heed_trainer_leave_folder(heed_trainer *t)
{
    char *lock = heed_path_join(t->options.out, ".lock");
    char *options = heed_path_join(t->options.out, "run.json");
    char *path = heed_string_copy(t->options.out);
    bool made = path != NULL && t->existed < strlen(path);
    if (made && lock != NULL && options != NULL && !heed_path_exists(options)) {
        if (t->lock.descriptor >= 0) unlink(lock); /* the lock is held until the folder is gone */
        heed_directory_unmake(path, t->existed);
    }
    free(path);
    free(lock);
    free(options);
}
