#include "base/file.h"
#include "train/checkpoint.h"
#include "plot/plot.h"
#include "train/trainer_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char optimizer_file[] = "optimizer.safetensors", state_file[] = "trainer.json";
const char *const heed_trainer_private_files[] = {optimizer_file, state_file, NULL};

/* A function that is called with folder/name. */
typedef heed_status path_call(heed_trainer *t, const char *path, heed_error *error);
static heed_status with_path(heed_trainer *t, const char *folder, const char *name, path_call *call,
                             heed_error *error)
{
    char *path = heed_path_join(folder, name);
    if (path == NULL) return heed_fail_memory(error, strlen(folder) + strlen(name) + 2, "a path");
    heed_status status = call(t, path, error);
    free(path);
    return status;
}

/* ---- trainer.json ---- */

/* Writes the pending sums and counts of the terms after the first one. */
static void write_other_terms(const heed_trainer *t, heed_buffer *out)
{
    const heed_term_sums *pending = &t->place.pending;
    if (t->terms.count < 2) return;
    heed_buffer_text(out, ",\n  \"pending_terms\": [");
    for (int i = 1; i < t->terms.count; i++) {
        heed_buffer_text(out, i == 1 ? "[" : ", [");
        heed_json_put_number(out, pending->sum[i]);
        heed_buffer_printf(out, ", %" PRId64 "]", pending->count[i]);
    }
    heed_buffer_text(out, "]");
}

/* Reads them back. Checkpoints without them count from zero. */
static heed_status read_other_terms(heed_trainer *t, const json_t *json, const char *path,
                                    heed_error *error)
{
    const json_t *list = json_object_get(json, "pending_terms");
    for (int i = 1; list != NULL && i < t->terms.count; i++) {
        const json_t *pair = json_array_get(list, (size_t)i - 1);
        const json_t *sum = json_array_get(pair, 0), *count = json_array_get(pair, 1);
        if (!json_is_number(sum) || !json_is_integer(count) || json_integer_value(count) < 0)
            return heed_fail(error, HEED_E_FORMAT,
                             "%s: pending_terms: expected %d pairs of a sum and a count", path,
                             t->terms.count - 1);
        t->place.pending.sum[i] = json_number_value(sum);
        t->place.pending.count[i] = json_integer_value(count);
    }
    return HEED_OK;
}

static heed_status write_state(heed_trainer *t, const char *path, heed_error *error)
{
    const heed_train_place *p = &t->place;
    heed_buffer out = {0};
    heed_buffer_printf(&out,
                       "{\n  \"step\": %" PRId64 ",\n  \"epoch\": %" PRId64
                       ",\n  \"unit\": %zu,\n  \"tokens\": %" PRIu64 ",\n",
                       p->step, p->epoch, p->unit, p->tokens);
    heed_buffer_printf(&out, "  \"best_step\": %" PRId64 ",\n  \"best_eval_loss\": ", p->best_step);
    heed_json_put_number(&out, p->best_loss); /* NaN becomes null */
    heed_buffer_text(&out, ",\n  \"pending_loss\": ");
    heed_json_put_number(&out, p->pending.sum[0]);
    write_other_terms(t, &out);
    if (p->unevaluated) heed_buffer_text(&out, ",\n  \"unevaluated\": true");
    heed_buffer_printf(&out,
                       ",\n  \"pending_labels\": %" PRIu64
                       ",\n  \"data_fingerprint\": \"%016" PRIx64 "\"\n}\n",
                       (uint64_t)p->pending.count[0], t->fingerprint);
    heed_status status;
    if (out.failed) status = heed_fail_memory(error, out.length, state_file);
    else status = heed_file_write(path, out.data, out.length, error);
    heed_buffer_free(&out);
    return status;
}

static heed_status read_place(heed_trainer *t, const json_t *json, const char *path,
                              heed_error *error)
{
    heed_train_place *p = &t->place;
    const char *fingerprint = NULL;
    char expected[32];
    struct {
        const char *key;
        int64_t value;
    } integers[] = {
        {"step", -1},   {"epoch", -1},     {"unit", -1},
        {"tokens", -1}, {"best_step", -1}, {"pending_labels", -1},
    };
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
        HEED_TRY(heed_json_integer(json, integers[i].key, &integers[i].value, path, error));
        if (integers[i].value < 0)
            return heed_fail(error, HEED_E_FORMAT, "%s: %s: expected an integer of at least 0",
                             path, integers[i].key);
    }
    *p = (heed_train_place){
        .step = integers[0].value,
        .epoch = integers[1].value,
        .unit = (size_t)integers[2].value,
        .tokens = (uint64_t)integers[3].value,
        .best_loss = NAN,
        .best_step = integers[4].value,
        .pending.count[0] = integers[5].value,
    };
    HEED_TRY(heed_json_number(json, "best_eval_loss", &p->best_loss, path, error));
    HEED_TRY(heed_json_number(json, "pending_loss", &p->pending.sum[0], path, error));
    HEED_TRY(heed_json_boolean(json, "unevaluated", &p->unevaluated, path, error));
    HEED_TRY(read_other_terms(t, json, path, error));
    HEED_TRY(heed_json_string(json, "data_fingerprint", &fingerprint, path, error));
    snprintf(expected, sizeof expected, "%016" PRIx64, t->fingerprint);
    if (fingerprint == NULL || strcmp(fingerprint, expected) != 0)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: the training data is not what it was (its tokens have the "
                         "fingerprint %s, the checkpoint's had %s): "
                         "restore the files, or begin a new training with --init",
                         path, expected, fingerprint != NULL ? fingerprint : "none");
    return HEED_OK;
}

static heed_status read_state(heed_trainer *t, const char *path, heed_error *error)
{
    json_t *json = NULL;
    HEED_TRY(heed_json_read(&json, path, error));
    heed_status status;
    if (json_is_object(json)) status = read_place(t, json, path, error);
    else status = heed_fail(error, HEED_E_FORMAT, "%s: expected an object", path);
    json_decref(json);
    HEED_TRY(status);
    HEED_TRY(heed_dataset_begin(t->data, t->place.epoch, error));
    if (t->place.unit > heed_dataset_units(t->data))
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: unit is %zu, but an epoch has %zu; resume from an older checkpoint",
                         path, t->place.unit, heed_dataset_units(t->data));
    return HEED_OK;
}

/* ---- checkpoints ---- */

static heed_status write_optimizer(heed_trainer *t, const char *path, heed_error *error)
{
    return heed_optimizer_save(t->optimizer, path, error);
}

static heed_status read_optimizer(heed_trainer *t, const char *path, heed_error *error)
{
    return heed_optimizer_load(t->optimizer, path, t->place.step, error);
}

/* Saves all that another program needs to use the model. */
static heed_status save_model(const heed_trainer *t, const char *folder, heed_error *error)
{
    bool has_tokenizer = t->tokenizer != NULL;
    HEED_TRY(heed_model_save(t->model, folder, HEED_F32, error));
    if (has_tokenizer) HEED_TRY(heed_tokenizer_save(t->tokenizer, folder, error));
    return heed_sidecar_save(t->sidecar, folder, has_tokenizer, error);
}

static heed_status fill(void *context, const char *folder, heed_error *error)
{
    heed_trainer *t = context;
    HEED_TRY(save_model(t, folder, error));
    HEED_TRY(with_path(t, folder, optimizer_file, write_optimizer, error));
    return with_path(t, folder, state_file, write_state, error);
}

/* Checks that the weights are finite. They can overflow in an update whose gradient was finite, and
   such a checkpoint could not be loaded. */
static heed_status check_weights(const heed_trainer *t, heed_error *error)
{
    char remedy[160];
    for (size_t i = 0; i < heed_model_parameter_count(t->model); i++) {
        heed_parameter_info info = heed_model_parameter(t->model, i);
        size_t at = 0;
        while (at < info.elements && isfinite(info.rows[at])) at++;
        if (at == info.elements) continue;
        heed_trainer_finite_remedy(t, " or the weight decay", remedy, sizeof remedy);
        return heed_fail(error, HEED_E_ARG,
                         "update %" PRId64 ": \"%s\" is no longer finite: %s; the checkpoints so "
                         "far are whole",
                         t->place.step, info.name, remedy);
    }
    return HEED_OK;
}

/* Returns the error of a checkpoint that could not be written, with the checkpoint to resume
   from. */
static heed_status fail_saving(const heed_trainer *t, heed_status status, const heed_error *problem,
                               heed_error *error)
{
    char *newest = NULL;
    int64_t step;
    if (heed_checkpoint_newest(t->options.out, &newest, &step, NULL) != HEED_OK) newest = NULL;
    if (newest != NULL)
        heed_fail(error, status, "%s; %s stands: heed train --resume %s goes on from it",
                  problem->message, newest, t->options.out);
    else
        heed_fail(error, status, "%s; there is no checkpoint yet, update %" PRId64 " is lost",
                  problem->message, t->place.step);
    free(newest);
    return status;
}

static heed_status save(heed_trainer *t, bool best, heed_error *error)
{
    HEED_TRY(check_weights(t, error));
    heed_checkpoint_options options = {.best = best,
                                       .keep = (int)t->options.save_total_limit,
                                       .private_files = heed_trainer_private_files};
    heed_error problem = {0};
    heed_status status = heed_checkpoint_write(t->options.out, t->place.step, fill, t, &options,
                                               &problem);
    return status == HEED_OK ? HEED_OK : fail_saving(t, status, &problem, error);
}

heed_status heed_trainer_save(heed_trainer *t, bool best, heed_error *error)
{
    heed_status status = save(t, best, error);
    if (status != HEED_OK) t->unsavable = true;
    return status;
}

heed_status heed_trainer_load_state(heed_trainer *t, const char *checkpoint, heed_error *error)
{
    HEED_TRY(with_path(t, checkpoint, state_file, read_state, error));
    return with_path(t, checkpoint, optimizer_file, read_optimizer, error);
}

/* ---- the mean of the last checkpoints ---- */

/* Adds weight * (parameters of RUN/checkpoint-STEP) to the sums, parameter after parameter. */
static heed_status add_checkpoint(heed_trainer *t, int64_t step, double weight, double *sums,
                                  heed_error *error)
{
    char name[64];
    heed_model *model = NULL;
    snprintf(name, sizeof name, "checkpoint-%" PRId64, step);
    char *folder = heed_path_join(t->options.out, name);
    if (folder == NULL) return heed_fail_memory(error, 256, "a path");
    heed_status status = heed_model_load(
        &model, folder, &(heed_model_options){.backend = t->backend, .training = true}, error);
    free(folder);
    HEED_TRY(status);
    const size_t own = heed_model_parameter_count(t->model);
    for (size_t i = 0; i < heed_model_parameter_count(model) && i < own; i++) {
        heed_parameter_info p = heed_model_parameter(model, i);
        for (size_t k = 0; k < p.elements; k++) sums[k] += weight * p.rows[k];
        sums += p.elements;
    }
    heed_model_release(model);
    return HEED_OK;
}

/* Lists the steps of the newest checkpoints, at most `most`, newest first. A checkpoint that exists
   but cannot be read is an error, because a mean of fewer checkpoints is not what was asked for. */
static heed_status newest_steps(const heed_trainer *t, int64_t *steps, size_t most, size_t *found,
                                heed_error *error)
{
    heed_status status = HEED_OK;
    *found = 0;
    for (int64_t step = t->place.step; step > 0 && *found < most && status == HEED_OK; step--) {
        char name[64];
        if (step != t->place.step &&
            (t->options.save_steps == 0 || step % t->options.save_steps != 0))
            continue;
        snprintf(name, sizeof name, "checkpoint-%" PRId64, step);
        int64_t found_step;
        char *folder = heed_path_join(t->options.out, name);
        if (folder == NULL) return heed_fail_memory(error, 256, "a path");
        bool exists = heed_path_exists(folder);
        if (exists) status = heed_checkpoint_check(folder, &found_step, error);
        if (exists && status == HEED_OK) steps[(*found)++] = step;
        free(folder);
    }
    return status;
}

static heed_status fill_average(void *context, const char *folder, heed_error *error)
{
    return save_model(context, folder, error);
}

/* Exchanges parameters and sums: the model holds the mean while it is written, and its own weights
   afterwards. Nothing runs in between, so the bf16 working copies stay those of its own weights. */
static void exchange(heed_trainer *t, double *sums)
{
    for (size_t i = 0; i < heed_model_parameter_count(t->model); i++) {
        heed_parameter_info p = heed_model_parameter(t->model, i);
        for (size_t k = 0; k < p.elements; k++) {
            float own = p.rows[k];
            p.rows[k] = (float)sums[k];
            sums[k] = own;
        }
        sums += p.elements;
    }
}

heed_status heed_trainer_average(heed_trainer *t, heed_error *error)
{
    size_t most = (size_t)t->options.average_last, elements = heed_model_element_count(t->model);
    int64_t *steps = heed_allocate(most, sizeof *steps);
    double *sums = heed_allocate(elements, sizeof *sums);
    heed_status status = HEED_OK;
    if (steps == NULL || sums == NULL)
        status = heed_fail_memory(error, elements * sizeof *sums, "the mean of the checkpoints");
    size_t found = 0;
    if (status == HEED_OK) status = newest_steps(t, steps, most, &found, error);
    for (size_t i = 0; i < found && status == HEED_OK; i++)
        status = add_checkpoint(t, steps[i], 1.0 / (double)found, sums, error);
    if (status == HEED_OK) {
        exchange(t, sums);
        status = heed_checkpoint_write_model(t->options.out, "average", fill_average, t, error);
        exchange(t, sums);
    }
    free(steps);
    free(sums);
    return status;
}

/* ---- picture ---- */

enum { MOST_CURVES = 8, CURVE_NAME = 48 };

/* What the picture shows: fields of the log. */
typedef struct curves {
    heed_log_series points[MOST_CURVES];
    heed_plot_series series[MOST_CURVES];
    char names[MOST_CURVES][CURVE_NAME]; /* labels */
    size_t count;
} curves;

/* Adds a field of the log as a curve; one that no line has is added if it must be there. */
static heed_status add_curve(curves *c, const char *log, const char *field, const char *label,
                             heed_error *error)
{
    bool training = strcmp(field, "loss") == 0, valid = strcmp(field, "eval_loss") == 0;
    heed_log_series points = {0};
    if (c->count == MOST_CURVES) return HEED_OK;
    HEED_TRY(heed_log_read(&points, log, field, error));
    if (points.count == 0 && !training) {
        heed_log_series_free(&points);
        return HEED_OK;
    }
    snprintf(c->names[c->count], CURVE_NAME, "%s", label);
    c->points[c->count] = points;
    c->series[c->count] = (heed_plot_series){
        .label = c->names[c->count],
        .x = points.x,
        .y = points.y,
        .count = points.count,
        .smooth = !valid,
        .markers = valid,
    };
    c->count++;
    return HEED_OK;
}

/* Reads the losses, and if several heads have labels, the loss of each of their terms. */
static heed_status read_curves(const heed_trainer *t, const char *log, curves *c, heed_error *error)
{
    int labelled = 0;
    HEED_TRY(add_curve(c, log, "loss", "training", error));
    HEED_TRY(add_curve(c, log, "eval_loss", "validation", error));
    for (int i = 0; i < t->terms.count; i++) labelled += t->terms.items[i].labels != NULL;
    for (int i = 0; labelled > 1 && i < t->terms.count; i++) {
        char field[CURVE_NAME];
        snprintf(field, sizeof field, "loss_%s", t->terms.items[i].name);
        if (t->terms.items[i].labels)
            HEED_TRY(add_curve(c, log, field, t->terms.items[i].name, error));
    }
    return HEED_OK;
}

static heed_status draw(heed_trainer *t, const char *path, heed_error *error)
{
    char *log = heed_path_join(t->options.out, "log.jsonl");
    if (log == NULL) return heed_fail_memory(error, 256, "a path");
    curves c = {.count = 0};
    heed_buffer svg = {0};
    heed_status status = read_curves(t, log, &c, error);
    if (status == HEED_OK) {
        heed_line_chart chart = {
            .title = "Loss",
            .subtitle = t->objective->what,
            .x_label = "update",
            .y_label = "loss",
            .series = c.series,
            .count = c.count,
        };
        status = heed_plot_lines(&svg, &chart, error);
    }
    if (status == HEED_OK) status = heed_file_write(path, svg.data, svg.length, error);
    heed_buffer_free(&svg);
    for (size_t i = 0; i < c.count; i++) heed_log_series_free(&c.points[i]);
    free(log);
    return status;
}

heed_status heed_trainer_plot(heed_trainer *t, heed_error *error)
{
    heed_error problem = {0};
    (void)with_path(t, t->options.out, "loss.svg", draw, &problem);
    return heed_trainer_tell(t, &t->plot_troubled, &problem, error);
}
