#include "train/trainer.h"

#include "base/clock.h"
#include "base/file.h"
#include "train/checkpoint.h"
#include "train/trainer_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void heed_trainer_free(heed_trainer *t)
{
    if (t == NULL) return;
    heed_log_close(t->log);
    heed_lock_free(&t->lock);
    heed_optimizer_free(t->optimizer);
    for (int64_t i = 0; t->batches != NULL && i < t->options.gradient_accumulation_steps; i++)
        heed_batch_free(&t->batches[i]);
    free(t->batches);
    heed_batch_free(&t->eval_batch);
    heed_engine_free(t->engine);
    heed_dataset_free(t->data);
    heed_dataset_free(t->valid);
    heed_model_release(t->model);
    heed_tokenizer_free(t->tokenizer);
    heed_sidecar_free(t->sidecar);
    heed_arena_free(t->arena);
    free(t);
}

/* ---- beginning ---- */

heed_status heed_trainer_allocate(heed_trainer **trainer, const heed_backend *backend,
                                  const heed_train_watcher *watcher, heed_error *error)
{
    heed_trainer *t = heed_allocate(1, sizeof *t);
    if (t == NULL) return heed_fail_memory(error, sizeof *t, "the trainer");
    t->arena = heed_arena_new();
    if (t->arena == NULL) {
        free(t);
        return heed_fail_memory(error, 4096, "the trainer");
    }
    t->backend = backend;
    t->lock.descriptor = -1;
    if (watcher != NULL) t->watcher = *watcher;
    *trainer = t;
    return HEED_OK;
}

static char *in_run(const heed_trainer *t, const char *name)
{
    return heed_path_join(t->options.out, name);
}

heed_status heed_trainer_open_log(heed_trainer *t, heed_error *error)
{
    char *path = in_run(t, "log.jsonl");
    if (path == NULL) return heed_fail_memory(error, 256, "a path");
    heed_status status = heed_log_truncate(path, t->place.step, error);
    if (status == HEED_OK) status = heed_log_open(&t->log, path, error);
    free(path);
    return status;
}

heed_status heed_trainer_write_options(heed_trainer *t, heed_error *error)
{
    char *path = in_run(t, "run.json");
    if (path == NULL) return heed_fail_memory(error, 256, "a path");
    heed_status status = heed_run_options_write(&t->options, path, error);
    free(path);
    return status;
}

static heed_status begin_run(heed_trainer *t, const heed_train_options *chosen, heed_error *error)
{
    HEED_TRY(heed_trainer_take_folder(t, error));
    HEED_TRY(heed_trainer_prepare(t, NULL, error));
    HEED_TRY(heed_trainer_note_idle(t, chosen, error));
    HEED_TRY(heed_trainer_write_options(t, error));
    return heed_trainer_open_log(t, error);
}

heed_status heed_trainer_new(heed_trainer **trainer, const heed_train_options *options,
                             const heed_backend *backend, const heed_train_watcher *watcher,
                             heed_error *error)
{
    heed_trainer *t = NULL;
    *trainer = NULL;
    heed_run_options run;
    HEED_TRY(heed_run_options_from(&run, options, error));
    HEED_TRY(heed_run_options_check(&run, error));
    HEED_TRY(heed_trainer_allocate(&t, backend, watcher, error));
    heed_status status = heed_run_options_copy(&t->options, &run, t->arena, error);
    if (status == HEED_OK) {
        status = begin_run(t, options, error);
        if (status != HEED_OK) heed_trainer_leave_folder(t);
    }
    if (status == HEED_OK) *trainer = t;
    else heed_trainer_free(t);
    return status;
}

/* ---- running ---- */

/* Converts a measured value: NaN means, in the trainer and its files, that nothing was measured. */
static heed_optional_real measured(double value)
{
    return isnan(value) ? (heed_optional_real){0} : heed_real(value);
}

/* Returns how many epochs all updates make. An update never spans the end of an epoch: the last one
   of an epoch has the units that are left. */
static double all_epochs(const heed_trainer *t)
{
    double update = (double)(t->options.batch_size * t->options.gradient_accumulation_steps);
    double units = (double)heed_dataset_units(t->data);
    double each = ceil(units / update), whole = floor((double)t->steps / each);
    return whole + ((double)t->steps - whole * each) * update / units;
}

/* Does the run have a chat template that laid out its conversations? */
static bool can_chat(const heed_trainer *t)
{
    const char *chosen = t->options.template_file;
    bool none = chosen != NULL && strcmp(chosen, "none") == 0;
    return !none && t->tokenizer != NULL && heed_tokenizer_template_count(t->tokenizer) > 0;
}

static void note_begun(const heed_trainer *t)
{
    if (t->watcher.begun == NULL) return;
    heed_train_summary summary = {
        .model_type = heed_config_written_as(&t->config),
        .objective = t->objective->name,
        .parameters = heed_model_element_count(t->model),
        .parameter_bytes = t->parameter_bytes,
        .activation_bytes = t->activation_bytes,
        .free_bytes = {t->free_bytes > 0, (int64_t)t->free_bytes},
        .steps = t->steps,
        .first_step = t->place.step,
        .tokens_per_epoch = (int64_t)heed_dataset_tokens(t->data),
        .valid_tokens = t->valid != NULL ? (int64_t)heed_dataset_tokens(t->valid) : 0,
        .epochs = all_epochs(t),
        .conversations = t->data->packing.whole_texts && can_chat(t)};
    enum { MOST = 32 };
    const char *notes[MOST];
    summary.notes = notes;
    for (size_t i = 0; i < t->note_count; i++) notes[summary.note_count++] = t->notes[i];
    for (size_t i = 0; i < heed_model_note_count(t->model) && summary.note_count < MOST; i++)
        notes[summary.note_count++] = heed_model_note(t->model, i);
    t->watcher.begun(t->watcher.context, &summary);
}

static double epoch_of(const heed_trainer *t)
{
    return (double)t->place.epoch + (double)t->place.unit / (double)heed_dataset_units(t->data);
}

/* Returns the recent speed in tokens per second; the weight of an update halves after ten more. */
static double speed(heed_trainer *t, double seconds, double tokens)
{
    const double ema = 0.93;
    t->seconds_window = ema * t->seconds_window + seconds;
    t->tokens_window = ema * t->tokens_window + tokens;
    t->line_seconds += seconds;
    t->line_tokens += tokens;
    return t->seconds_window > 0 ? t->tokens_window / t->seconds_window : 0;
}

enum { MOST_FIELDS = 12 + 2 * HEED_MAX_LOSS_TERMS, NAME = 48 };

/* A line of the log, and the names of the fields that are made for it. */
typedef struct log_line {
    heed_log_field fields[MOST_FIELDS];
    size_t count;
    char names[2 * HEED_MAX_LOSS_TERMS][NAME];
    size_t names_count;
} log_line;

static void put(log_line *line, heed_log_field field)
{
    line->fields[line->count++] = field;
}

/* Puts the mean of each term of the loss, if there are several: "loss_tokens". */
static void put_terms(const heed_trainer *t, const char *what, const heed_term_sums *sums,
                      log_line *line)
{
    for (int i = 0; t->terms.count > 1 && i < t->terms.count; i++) {
        char *name = line->names[line->names_count++];
        double count = (double)sums->count[i];
        snprintf(name, NAME, "%s_%s", what, t->terms.items[i].name);
        put(line, HEED_LOG_F(name, count > 0 ? sums->sum[i] / count : NAN));
    }
}

/* Puts what the updates since the last line did, and resets their sums. */
static void put_updates(heed_trainer *t, const heed_train_progress *p, log_line *line)
{
    heed_train_place *place = &t->place;
    double speed = t->line_seconds > 0 ? t->line_tokens / t->line_seconds : 0;
    put(line, HEED_LOG_F("loss", heed_trainer_loss(t, &place->pending, NAN)));
    put_terms(t, "loss", &place->pending, line);
    put(line, HEED_LOG_F("lr", heed_real_or(p->learning_rate, NAN)));
    put(line, HEED_LOG_F("grad_norm", heed_real_or(p->grad_norm, NAN)));
    put(line, HEED_LOG_I("tokens", (int64_t)place->tokens));
    put(line, HEED_LOG_F("tokens_per_second", speed));
    place->pending = (heed_term_sums){0};
    t->line_seconds = t->line_tokens = 0;
}

/* Writes a line of the log. If it cannot be written, it waits for the next one, and the training
   continues. */
static heed_status write_line(heed_trainer *t, const heed_train_progress *p, heed_error *error)
{
    log_line line = {.count = 0};
    put(&line, HEED_LOG_I("step", p->step));
    put(&line, HEED_LOG_F("epoch", p->epoch));
    if (t->place.step % t->options.logging_steps == 0 && p->loss.set) put_updates(t, p, &line);
    if (p->eval_loss.set) {
        put(&line, HEED_LOG_F("eval_loss", p->eval_loss.value));
        put_terms(t, "eval_loss", &t->evaluated, &line);
    }
    if (line.count <= 2) return HEED_OK;
    heed_error problem = {0};
    (void)heed_log_write(t->log, line.fields, line.count, &problem);
    return heed_trainer_tell(t, &t->log_troubled, &problem, error);
}

/* Removes an older best checkpoint that no save was due for, once there is a better one. */
static void retire(const heed_trainer *t, int64_t step)
{
    if (step <= 0 || (t->options.save_steps > 0 && step % t->options.save_steps == 0)) return;
    char name[64];
    snprintf(name, sizeof name, "checkpoint-%" PRId64, step);
    char *folder = heed_path_join(t->options.out, name);
    if (folder != NULL) heed_directory_remove(folder, NULL);
    free(folder);
}

static bool due(int64_t step, int64_t every)
{
    return every > 0 && step % every == 0;
}

/* Measures the validation loss after the last update. If the evaluation is cancelled or fails, the
   resumed training has to repeat it. */
static heed_status evaluate(heed_trainer *t, heed_train_progress *p, bool *improved, bool *stopped,
                            heed_error *error)
{
    heed_train_place *place = &t->place;
    heed_error problem = {0};
    double loss = NAN;
    heed_status status = heed_trainer_evaluate(t, &loss, &problem);
    p->eval_loss = measured(loss);
    place->unevaluated = status != HEED_OK;
    *improved = status == HEED_OK && p->eval_loss.set && !(loss >= place->best_loss);
    if (*improved) {
        place->best_loss = loss;
        place->best_step = place->step;
    }
    if (status == HEED_E_CANCELLED) *stopped = true;
    else if (status != HEED_OK) return heed_fail(error, status, "%s", problem.message);
    return HEED_OK;
}

/* Evaluates and saves what this update asks for; `last` is the end of this call. */
static heed_status follow_up(heed_trainer *t, heed_train_progress *p, bool last, bool *stopped,
                             heed_error *error)
{
    const heed_train_place *place = &t->place;
    int64_t step = place->step, old_best = place->best_step;
    bool improved = false, ends = step >= t->steps;
    heed_status status = HEED_OK;
    if (t->valid != NULL && (place->unevaluated || due(step, t->options.eval_steps) || ends))
        status = evaluate(t, p, &improved, stopped, error);
    last = last || *stopped;
    p->best_eval_loss = measured(place->best_loss);
    HEED_TRY(write_line(t, p, error));
    HEED_TRY(status);
    if (!improved && !last && !due(step, t->options.save_steps)) return HEED_OK;
    HEED_TRY(heed_trainer_save(t, improved, error));
    if (improved && old_best != step) retire(t, old_best);
    p->saved = "checkpoint";
    return heed_trainer_plot(t, error);
}

/* Does the evaluation that was cancelled when the training stopped, and writes its checkpoint
   without that mark. */
static heed_status catch_up(heed_trainer *t, heed_train_report *report, bool *stopped,
                            heed_error *error)
{
    heed_train_progress p = {
        .step = t->place.step,
        .steps = t->steps,
        .epoch = epoch_of(t),
    };
    if (!t->place.unevaluated) return HEED_OK;
    HEED_TRY(follow_up(t, &p, true, stopped, error));
    if (p.eval_loss.set) report->eval_loss = p.eval_loss;
    if (t->watcher.step != NULL) t->watcher.step(t->watcher.context, &p);
    return HEED_OK;
}

typedef struct run_clock {
    double began, loss_sum;
    int64_t loss_count, until;
    uint64_t tokens;
} run_clock;

static heed_status one_update(heed_trainer *t, run_clock *clock, heed_train_report *report,
                              bool *stopped, heed_error *error)
{
    double began = heed_clock_seconds();
    uint64_t tokens = t->place.tokens;
    HEED_TRY(heed_trainer_update(t, error));
    int64_t step = t->place.step, first = t->first_step;
    heed_train_progress p = {
        .step = step,
        .steps = t->steps,
        .epoch = epoch_of(t),
        .loss = heed_real(t->loss),
        .learning_rate = heed_real(t->rate),
        .grad_norm = heed_real(t->grad_norm),
    };
    p.tokens_per_second = speed(t, heed_clock_seconds() - began,
                                (double)(t->place.tokens - tokens));
    clock->tokens += t->place.tokens - tokens;
    if (10 * (clock->until - step) < clock->until - first) {
        clock->loss_sum += t->loss;
        clock->loss_count++;
    }
    p.seconds_left = (heed_clock_seconds() - clock->began) / (double)(step - first) *
                     (double)(clock->until - step);
    bool last = step >= clock->until;
    HEED_TRY(follow_up(t, &p, last, stopped, error));
    if (p.eval_loss.set) report->eval_loss = p.eval_loss;
    if (t->watcher.step != NULL) t->watcher.step(t->watcher.context, &p);
    return HEED_OK;
}

/* After a failed or stopped update: writes a checkpoint of the last good update, unless there is
   one. */
static heed_status save_on_stop(heed_trainer *t, heed_error *error)
{
    char *newest = NULL;
    int64_t step = -1;
    heed_status status = heed_checkpoint_newest(t->options.out, &newest, &step, error);
    bool saved = newest != NULL && step == t->place.step;
    free(newest);
    if (status != HEED_OK || saved || t->place.step == 0) return status;
    HEED_TRY(heed_trainer_save(t, false, error));
    return heed_trainer_plot(t, error);
}

/* After an update or an evaluation failed with *error, for example because another program changed
   the data: writes a checkpoint of the last finished update, and adds to *error how to resume from
   it. If memory is out, nothing is saved. */
static void save_on_failure(heed_trainer *t, heed_error *error)
{
    heed_error problem = *error, saving = {0};
    if (t->unsavable || t->place.step == 0 || error->status == HEED_E_NOMEM) return;
    *error = (heed_error){0};
    if (save_on_stop(t, &saving) != HEED_OK)
        heed_fail(error, problem.status, "%s; %s", problem.message, saving.message);
    else
        heed_fail(error, problem.status,
                  "%s; a checkpoint is written: with this mended, heed train --resume %s goes on "
                  "from update %" PRId64,
                  problem.message, t->options.out, t->place.step);
}

/* Writes the lines that log.jsonl still lacks, or tells the user that it cannot. */
static void finish_log(heed_trainer *t)
{
    heed_error error = {0};
    if (heed_log_flush(t->log, &error) == HEED_OK || t->watcher.trouble == NULL) return;
    char text[sizeof error.message + 64];
    snprintf(text, sizeof text, "%s; the last lines of the log are missing", error.message);
    t->watcher.trouble(t->watcher.context, text);
}

/* Makes updates up to clock->until. Returns HEED_E_CANCELLED once somebody has asked to stop,
   whatever was being done then. */
static heed_status run_updates(heed_trainer *t, run_clock *clock, heed_train_report *report,
                               heed_error *error)
{
    heed_error problem = {0};
    bool stopped = false;
    heed_status status = catch_up(t, report, &stopped, &problem);
    while (status == HEED_OK && !stopped && t->place.step < clock->until) {
        stopped = heed_trainer_stopped(t);
        if (!stopped) status = one_update(t, clock, report, &stopped, &problem);
    }
    if (status == HEED_E_CANCELLED || (status == HEED_OK && stopped))
        return heed_fail(error, HEED_E_CANCELLED, "stopped after update %" PRId64 " of %" PRId64,
                         t->place.step, t->steps);
    return status == HEED_OK ? HEED_OK : heed_fail(error, status, "%s", problem.message);
}

heed_status heed_trainer_run(heed_trainer *t, heed_train_report *report, heed_error *error)
{
    run_clock clock = {.began = heed_clock_seconds(), .until = t->steps};
    heed_error problem = {0};
    *report = (heed_train_report){.steps = t->place.step};
    if (t->options.stop_at >= 0 && t->options.stop_at < clock.until)
        clock.until = t->options.stop_at;
    t->first_step = t->place.step;
    note_begun(t);
    heed_status status = run_updates(t, &clock, report, &problem);
    if (status == HEED_E_CANCELLED) {
        heed_status saved = save_on_stop(t, error);
        status = saved != HEED_OK ? saved : heed_fail(error, status, "%s", problem.message);
    } else if (status != HEED_OK) {
        save_on_failure(t, &problem);
        heed_fail(error, status, "%s", problem.message);
    }
    if (status == HEED_OK && t->place.step >= t->steps && t->options.average_last > 1)
        status = heed_trainer_average(t, error);
    finish_log(t);
    report->steps = t->place.step;
    report->best_eval_loss = measured(t->place.best_loss);
    if (report->best_eval_loss.set) report->best_step = heed_int(t->place.best_step);
    if (clock.loss_count > 0) report->loss = heed_real(clock.loss_sum / (double)clock.loss_count);
    report->seconds = heed_clock_seconds() - clock.began;
    report->tokens_per_second = report->seconds > 0 ? (double)clock.tokens / report->seconds : 0;
    return status;
}

heed_status heed_train_new(const heed_train_options *options, const heed_backend *backend,
                           const heed_train_watcher *watcher, heed_train_report *report,
                           heed_error *error)
{
    heed_trainer *t = NULL;
    *report = (heed_train_report){0};
    HEED_TRY(heed_trainer_new(&t, options, backend, watcher, error));
    heed_status status = heed_trainer_run(t, report, error);
    heed_trainer_free(t);
    return status;
}
