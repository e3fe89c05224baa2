#include "train/trainer_internal.h"

#include "base/number.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Collates the micro-batches of the next update and moves the place after them. */
static heed_status collate_update(heed_trainer *t, heed_error *error)
{
    heed_train_place *place = &t->place;
    if (place->unit >= heed_dataset_units(t->data)) {
        HEED_TRY(heed_dataset_begin(t->data, place->epoch + 1, error));
        place->epoch++;
        place->unit = 0;
    }
    size_t sample = 0, units = heed_dataset_units(t->data), batch = (size_t)t->options.batch_size;
    for (int64_t i = 0; i < t->options.gradient_accumulation_steps; i++) {
        heed_batch_clear(&t->batches[i], (int32_t)sample);
        HEED_TRY(heed_dataset_collate(t->data, place->unit, batch, &t->batches[i], error));
        place->unit += units - place->unit < batch ? units - place->unit : batch;
        place->tokens += (uint64_t)heed_batch_tokens(&t->batches[i]);
        sample += (size_t)t->batches[i].count[HEED_EXTENT_SEQUENCES];
    }
    return HEED_OK;
}

/* Adds the labels of a batch to the counts, unless it has none. Returns whether it has any. */
static bool count_labels(const heed_trainer *t, const heed_batch *batch, heed_term_sums *sums)
{
    int64_t counts[HEED_MAX_LOSS_TERMS];
    if (heed_batch_count_labels(batch, &t->terms, counts) == 0) return false;
    for (int i = 0; i < t->terms.count; i++) sums->count[i] += counts[i];
    return true;
}

/* Runs the model over one batch, whose term_counts are set; adds the losses of each term, in nats,
   to the sums. */
static heed_status run_batch(heed_trainer *t, const heed_program_spec *usual,
                             const heed_batch *batch, heed_term_sums *sums, heed_error *error)
{
    heed_program_spec spec = *usual;
    spec.rows = heed_larger(spec.rows, batch->count[HEED_EXTENT_ROWS]);
    spec.source_rows = heed_larger(spec.source_rows, batch->count[HEED_EXTENT_SOURCE_ROWS]);
    spec.sequences = heed_larger(spec.sequences, batch->count[HEED_EXTENT_SEQUENCES]);
    spec.gathered = heed_larger(spec.gathered, batch->count[HEED_EXTENT_GATHERED]);
    HEED_TRY(heed_engine_prepare(t->engine, &spec, error));
    heed_runtime runtime = {.seed = (uint64_t)t->options.seed, .step = (uint64_t)t->place.step + 1};
    HEED_TRY(heed_engine_feed(t->engine, batch, &runtime, error));
    heed_status status = heed_engine_run(t->engine, &runtime, error);
    /* The observer found NaN or infinity, or the run was refused. */
    if (status == HEED_E_ARG) t->unsavable = true;
    HEED_TRY(status);
    heed_operand terms;
    HEED_TRY(heed_engine_output(t->engine, "loss_terms", &terms, error));
    for (int i = 0; i < t->terms.count; i++) sums->sum[i] += ((const float *)terms.data)[i];
    return HEED_OK;
}

/* Runs all micro-batches with labels. Each term is divided by its labels in all of them. */
static heed_status run_update(heed_trainer *t, heed_term_sums *sums, heed_error *error)
{
    int64_t batches = t->options.gradient_accumulation_steps;
    for (int64_t i = 0; i < batches; i++) count_labels(t, &t->batches[i], sums);
    for (int64_t i = 0; i < batches; i++) {
        heed_batch *batch = &t->batches[i];
        heed_term_sums own = {0};
        if (!count_labels(t, batch, &own)) continue;
        if (heed_trainer_stopped(t))
            return heed_fail(error, HEED_E_CANCELLED, "stopped within update %lld",
                             (long long)t->place.step + 1);
        memcpy(batch->term_counts, sums->count, sizeof batch->term_counts);
        HEED_TRY(run_batch(t, &t->spec, batch, sums, error));
    }
    return HEED_OK;
}

double heed_trainer_loss(const heed_trainer *t, const heed_term_sums *sums, double none)
{
    double loss = 0;
    bool any = false;
    for (int i = 0; i < t->terms.count; i++) {
        if (!t->terms.items[i].labels || sums->count[i] == 0) continue;
        loss += (double)t->terms.items[i].weight * (sums->sum[i] / (double)sums->count[i]);
        any = true;
    }
    return any ? loss : none;
}

static heed_status check_finite(heed_trainer *t, heed_error *error)
{
    char remedy[160];
    if (isfinite(t->loss) && isfinite(t->grad_norm)) return HEED_OK;
    t->unsavable = true;
    heed_trainer_finite_remedy(t, ", lengthen the warm-up or clip harder", remedy, sizeof remedy);
    return heed_fail(error, HEED_E_ARG,
                     "update %lld: the %s is no longer finite (loss %g, gradient norm %g): %s; the "
                     "checkpoints so far are whole",
                     (long long)t->place.step + 1, isfinite(t->loss) ? "gradient" : "loss", t->loss,
                     t->grad_norm, remedy);
}

heed_status heed_trainer_update(heed_trainer *t, heed_error *error)
{
    heed_train_place before = t->place;
    heed_term_sums sums = {0};
    heed_status status = collate_update(t, error);
    if (status == HEED_OK) status = run_update(t, &sums, error);
    if (status == HEED_OK) {
        t->rate = heed_schedule_rate(&t->schedule, t->place.step);
        t->loss = heed_trainer_loss(t, &sums, 0);
        t->grad_norm = heed_optimizer_norm(t->optimizer);
        status = check_finite(t, error);
    }
    if (status != HEED_OK) { /* undo: as if this update had never begun */
        heed_model_clear_gradients(t->model);
        if (before.epoch != t->place.epoch) heed_dataset_begin(t->data, before.epoch, NULL);
        t->place = before;
        return status;
    }
    heed_optimizer_step(t->optimizer, t->rate,
                        heed_clip_factor(t->grad_norm, t->options.max_grad_norm));
    t->place.step++;
    for (int i = 0; i < t->terms.count; i++) {
        t->place.pending.sum[i] += sums.sum[i];
        t->place.pending.count[i] += sums.count[i];
    }
    return HEED_OK;
}

heed_status heed_trainer_evaluate(heed_trainer *t, double *loss, heed_error *error)
{
    heed_term_sums sums = {0};
    heed_batch *rows = &t->eval_batch;
    size_t units = heed_dataset_units(t->valid), batch = (size_t)t->options.batch_size;
    for (size_t first = 0; first < units; first += batch) {
        if (heed_trainer_stopped(t))
            return heed_fail(error, HEED_E_CANCELLED, "stopped while evaluating");
        heed_batch_clear(rows, 0);
        HEED_TRY(heed_dataset_collate(t->valid, first, batch, rows, error));
        bool labelled = count_labels(t, rows, &sums);
        for (int i = 0; i < t->terms.count; i++) rows->term_counts[i] = 1;
        if (labelled) HEED_TRY(run_batch(t, &t->eval_spec, rows, &sums, error));
        if (t->watcher.evaluating != NULL) t->watcher.evaluating(t->watcher.context, first, units);
    }
    t->evaluated = sums;
    *loss = heed_trainer_loss(t, &sums, NAN);
    return HEED_OK;
}
