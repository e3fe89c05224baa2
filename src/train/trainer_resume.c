/* Resumes a training, as it was or with another length, other data files or other dates. */
#include "base/file.h"
#include "train/checkpoint.h"
#include "train/trainer_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reads the options of RUN/run.json and applies the changes. */
static heed_status read_options(heed_trainer *t, const heed_train_options *changes,
                                heed_error *error)
{
    const char *out = t->options.out;
    char *path = heed_path_join(out, "run.json");
    if (path == NULL) return heed_fail_memory(error, 256, "a path");
    heed_status status = HEED_OK;
    if (heed_path_exists(path)) status = heed_run_options_read(&t->options, path, t->arena, error);
    else status = heed_fail(error, HEED_E_ARG, "%s is no training: it has no run.json", out);
    free(path);
    t->options.out = out;
    HEED_TRY(status);
    HEED_TRY(heed_run_options_extend(&t->options, changes, &t->extension, error));
    const heed_run_options merged = t->options;
    return heed_run_options_copy(&t->options, &merged, t->arena, error);
}

/* ---- what cannot be known before the checkpoint is read ---- */

/* Checks that the files of the run exist; the message says how to name files that have moved. */
static heed_status check_files(const char *const *paths, size_t count, const char *option,
                               heed_error *error)
{
    for (size_t i = 0; i < count; i++)
        if (!heed_path_exists(paths[i]))
            return heed_fail(
                error, HEED_E_IO,
                "%s: not there; if the files of %s have moved, name them where they are "
                "now: %s FILE...",
                paths[i], option, option);
    return HEED_OK;
}

static heed_status check_data(const heed_trainer *t, const char *checkpoint, heed_error *error)
{
    const heed_run_options *o = &t->options;
    HEED_TRY(check_files(o->data, o->data_count, "--data", error));
    HEED_TRY(check_files(o->valid, o->valid_count, "--valid", error));
    if (checkpoint != NULL || !t->extension.data) return HEED_OK;
    return heed_fail(
        error, HEED_E_ARG,
        "--data: %s has no checkpoint yet that other files could be held against: begin "
        "a new training",
        o->out);
}

/* *same becomes whether `choice`, a file or a name, is the template that the run's tokenizer
   keeps. */
static heed_status is_kept(const heed_tokenizer *tokenizer, const char *choice, bool *same,
                           heed_error *error)
{
    enum { MOST = 1 << 24 };
    heed_buffer text = {0};
    size_t length = 0, count = 0;
    const char *kept = tokenizer ? heed_tokenizer_chat_template(tokenizer, &length) : NULL;
    *same = false;
    if (kept == NULL) return HEED_OK;
    if (!heed_path_exists(choice)) {
        const char *named = heed_tokenizer_find_template(tokenizer, choice, &count);
        *same = named != NULL && count == length && memcmp(named, kept, length) == 0;
        return HEED_OK;
    }
    HEED_TRY(heed_file_read(choice, MOST, &text, error));
    *same = text.length == length && memcmp(text.data, kept, length) == 0;
    heed_buffer_free(&text);
    return HEED_OK;
}

static heed_status check_template(const heed_trainer *t, heed_error *error)
{
    const char *choice = t->extension.template_file;
    bool same = true;
    if (choice != NULL) HEED_TRY(is_kept(t->tokenizer, choice, &same, error));
    if (same) return HEED_OK;
    return heed_fail(error, HEED_E_ARG,
                     "--template %s: not the template that the run was started with, which its "
                     "tokenizer keeps: leave it out",
                     choice);
}

static heed_status check_length(const heed_trainer *t, heed_error *error)
{
    int64_t step = t->place.step, stop_at = t->options.stop_at;
    if (stop_at >= 0 && stop_at < step)
        return heed_fail(error, HEED_E_ARG,
                         "--stop-at %" PRId64 ": the run has %" PRId64 " updates already", stop_at,
                         step);
    if (!t->extension.length || t->steps >= step) return HEED_OK;
    return heed_fail(error, HEED_E_ARG,
                     "--max-steps %s: that is %" PRId64 " updates, and the run has %" PRId64
                     " already",
                     t->options.max_steps, t->steps, step);
}

/* Forgets the best loss when the validation data changes, because losses on other texts cannot be
   compared with it. */
static heed_status begin_validation(heed_trainer *t, heed_error *error)
{
    bool known = !isnan(t->place.best_loss);
    t->place.best_loss = NAN;
    if (!known) return HEED_OK;
    return heed_trainer_note(
        t, "note: other validation data: which checkpoint is best is found again", error);
}

/* Notes that the schedule is now that of a training begun with the new length. */
static heed_status note_schedule(heed_trainer *t, heed_error *error)
{
    char text[256];
    double rate = heed_schedule_rate(&t->schedule, t->place.step);
    double before = heed_schedule_rate(&t->begun_schedule, t->place.step);
    if (rate == before || t->place.step >= t->steps) return HEED_OK;
    snprintf(text, sizeof text,
             "note: the learning rates are now those of a training of %" PRId64
             " updates: the next "
             "is %.4g, of %" PRId64 " updates it would be %.4g",
             t->steps, rate, t->begun_schedule.total, before);
    return heed_trainer_note(t, text, error);
}

static heed_status settle(heed_trainer *t, const heed_train_options *changes, heed_error *error)
{
    HEED_TRY(check_template(t, error));
    HEED_TRY(check_length(t, error));
    if (t->extension.valid) HEED_TRY(begin_validation(t, error));
    if (t->extension.length) HEED_TRY(note_schedule(t, error));
    HEED_TRY(heed_trainer_note_idle(t, changes, error));
    t->first_step = t->place.step;
    return t->extension.any ? heed_trainer_write_options(t, error) : HEED_OK;
}

static heed_status open_newest(heed_trainer *t, const heed_train_options *changes,
                               heed_error *error)
{
    char *checkpoint = NULL;
    int64_t step;
    HEED_TRY(heed_checkpoint_newest(t->options.out, &checkpoint, &step, error));
    heed_status status = check_data(t, checkpoint, error);
    if (status == HEED_OK && checkpoint != NULL)
        status = heed_trainer_check_links(t, checkpoint, error);
    if (status == HEED_OK) status = heed_trainer_prepare(t, checkpoint, error);
    if (status == HEED_OK && checkpoint != NULL && t->place.step != step)
        status = heed_fail(error, HEED_E_FORMAT,
                           "%s/trainer.json: step is %" PRId64
                           ", expected the checkpoint's, %" PRId64
                           "; resume from an older checkpoint",
                           checkpoint, t->place.step, step);
    if (status == HEED_OK) status = settle(t, changes, error);
    free(checkpoint);
    return status;
}

static heed_status continue_run(heed_trainer *t, const heed_train_options *changes,
                                heed_error *error)
{
    HEED_TRY(read_options(t, changes, error));
    HEED_TRY(heed_trainer_lock(t, error));
    HEED_TRY(heed_checkpoint_prepare(t->options.out, heed_trainer_private_files, error));
    HEED_TRY(open_newest(t, changes, error));
    return heed_trainer_open_log(t, error);
}

heed_status heed_trainer_resume(heed_trainer **trainer, const char *run,
                                const heed_train_options *changes, const heed_backend *backend,
                                const heed_train_watcher *watcher, heed_error *error)
{
    heed_trainer *t = NULL;
    *trainer = NULL;
    HEED_TRY(heed_trainer_allocate(&t, backend, watcher, error));
    t->options.gradient_accumulation_steps = 0;
    t->options.out = heed_arena_string(t->arena, run);
    heed_status status = HEED_OK;
    if (t->options.out != NULL) status = continue_run(t, changes, error);
    else status = heed_fail_memory(error, strlen(run) + 1, "a path");
    if (status == HEED_OK) *trainer = t;
    else heed_trainer_free(t);
    return status;
}

heed_status heed_train_resume(const char *run, const heed_train_options *changes,
                              const heed_backend *backend, const heed_train_watcher *watcher,
                              heed_train_report *report, heed_error *error)
{
    heed_trainer *t = NULL;
    *report = (heed_train_report){0};
    HEED_TRY(heed_trainer_resume(&t, run, changes, backend, watcher, error));
    heed_status status = heed_trainer_run(t, report, error);
    heed_trainer_free(t);
    return status;
}
