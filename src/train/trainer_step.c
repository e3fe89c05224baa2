#include "train/trainer_internal.h"

#include "base/number.h"
#include <math.h>
#include <stdio.h>

/* Collates the micro-batches of the next update and moves the place after them. *labels becomes the
   number of labels. */
static heed_status collate_update(heed_trainer *t, uint64_t *labels, heed_error *error)
{
    heed_train_place *place = &t->place;
    if (place->unit >= heed_dataset_units(t->data)) {
        HEED_TRY(heed_dataset_begin(t->data, place->epoch + 1, error));
        place->epoch++;
        place->unit = 0;
    }
    size_t sample = 0, units = heed_dataset_units(t->data), batch = (size_t)t->options.batch_size;
    *labels = 0;
    for (int64_t i = 0; i < t->options.gradient_accumulation_steps; i++) {
        heed_batch_clear(&t->batches[i], (int32_t)sample);
        HEED_TRY(heed_dataset_collate(t->data, place->unit, batch, &t->batches[i], error));
        place->unit += units - place->unit < batch ? units - place->unit : batch;
        place->tokens += (uint64_t)heed_batch_tokens(&t->batches[i]);
        sample += (size_t)t->batches[i].count[HEED_EXTENT_SEQUENCES];
        *labels += (uint64_t)t->batches[i].count[HEED_EXTENT_GATHERED];
    }
    return HEED_OK;
}

/* Counts by which the terms of an update's loss are divided. */
typedef struct {
    uint64_t labels, rows;
} update_counts;

/* Gives the batch the scale of each term of the loss: one over its labels, or the weight of the
   load balance over its rows. */
static heed_status put_scales(const heed_trainer *t, heed_batch *batch, update_counts counts,
                              heed_error *error)
{
    heed_loss_terms terms;
    float *scales;
    heed_engine_loss_terms(t->model, &terms);
    HEED_TRY(heed_batch_floats(batch, "loss_scale", terms.count, 0, &scales, error));
    scales[0] = 1.0f / (float)counts.labels;
    if (terms.count > 1) scales[1] = t->balance_weight / (float)counts.rows;
    return HEED_OK;
}

/* Runs the model over one batch; adds the sum of its labels' losses, in nats, to *sum. */
static heed_status run_batch(heed_trainer *t, const heed_program_spec *usual, heed_batch *batch,
                             update_counts counts, double *sum, heed_error *error)
{
    heed_program_spec spec = *usual;
    spec.rows = heed_larger(spec.rows, batch->count[HEED_EXTENT_ROWS]);
    spec.source_rows = heed_larger(spec.source_rows, batch->count[HEED_EXTENT_SOURCE_ROWS]);
    spec.sequences = heed_larger(spec.sequences, batch->count[HEED_EXTENT_SEQUENCES]);
    spec.gathered = heed_larger(spec.gathered, batch->count[HEED_EXTENT_GATHERED]);
    HEED_TRY(heed_engine_prepare(t->engine, &spec, error));
    heed_runtime runtime = {.seed = (uint64_t)t->options.seed, .step = (uint64_t)t->place.step + 1};
    HEED_TRY(put_scales(t, batch, counts, error));
    HEED_TRY(heed_engine_feed(t->engine, batch, &runtime, error));
    heed_status status = heed_engine_run(t->engine, &runtime, error);
    if (status == HEED_E_ARG) t->unsavable = true; /* the observer found NaN or infinity */
    HEED_TRY(status);
    heed_operand terms;
    HEED_TRY(heed_engine_output(t->engine, "loss_terms", &terms, error));
    *sum += ((const float *)terms.data)[0];
    return HEED_OK;
}

static heed_status run_update(heed_trainer *t, uint64_t labels, double *sum, heed_error *error)
{
    update_counts counts = {.labels = labels};
    for (int64_t i = 0; i < t->options.gradient_accumulation_steps; i++)
        if (t->batches[i].count[HEED_EXTENT_GATHERED] > 0)
            counts.rows += (uint64_t)t->batches[i].count[HEED_EXTENT_ROWS];
    for (int64_t i = 0; i < t->options.gradient_accumulation_steps; i++) {
        if (t->batches[i].count[HEED_EXTENT_GATHERED] == 0) continue;
        if (heed_trainer_stopped(t))
            return heed_fail(error, HEED_E_CANCELLED, "stopped within update %lld",
                             (long long)t->place.step + 1);
        HEED_TRY(run_batch(t, &t->spec, &t->batches[i], counts, sum, error));
    }
    return HEED_OK;
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
    uint64_t labels = 0;
    double sum = 0;
    heed_status status = collate_update(t, &labels, error);
    if (status == HEED_OK) status = run_update(t, labels, &sum, error);
    if (status == HEED_OK) {
        t->rate = heed_schedule_rate(&t->schedule, t->place.step);
        t->loss = labels > 0 ? sum / (double)labels : 0;
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
    t->place.pending_loss += sum;
    t->place.pending_labels += labels;
    return HEED_OK;
}

heed_status heed_trainer_evaluate(heed_trainer *t, double *loss, heed_error *error)
{
    const update_counts one = {.labels = 1, .rows = 1};
    double sum = 0;
    uint64_t labels = 0;
    size_t units = heed_dataset_units(t->valid), batch = (size_t)t->options.batch_size;
    for (size_t first = 0; first < units; first += batch) {
        if (heed_trainer_stopped(t))
            return heed_fail(error, HEED_E_CANCELLED, "stopped while evaluating");
        heed_batch_clear(&t->eval_batch, 0);
        HEED_TRY(heed_dataset_collate(t->valid, first, batch, &t->eval_batch, error));
        if (t->eval_batch.count[HEED_EXTENT_GATHERED] > 0)
            HEED_TRY(run_batch(t, &t->eval_spec, &t->eval_batch, one, &sum, error));
        labels += (uint64_t)t->eval_batch.count[HEED_EXTENT_GATHERED];
        if (t->watcher.evaluating != NULL) t->watcher.evaluating(t->watcher.context, first, units);
    }
    *loss = labels > 0 ? sum / (double)labels : NAN;
    return HEED_OK;
}
