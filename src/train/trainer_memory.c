#include "train/trainer_internal.h"

#include "base/number.h"
#include <math.h>

/* Returns the most labels of `rows` rows. Those of mlm are drawn, so their number has a tail; six
   standard deviations above the mean are enough. */
static int64_t most_gathered(const heed_trainer *t, int64_t rows)
{
    if (t->objective != &heed_objective_mlm) return rows;
    double mean = 0.15 * (double)rows, most = mean + 6 * sqrt(mean) + 8;
    return most < (double)rows ? (int64_t)most : rows;
}

/* Finds the most rows of sources and targets that a batch of an epoch has; pairs are drawn as the
   data set draws them. */
static heed_status widest_pairs(const heed_dataset *data, size_t batch, heed_program_spec *spec,
                                heed_error *error)
{
    heed_batch rows = {0};
    heed_status status = HEED_OK;
    for (size_t first = 0; first < heed_dataset_units(data) && status == HEED_OK; first += batch) {
        heed_batch_clear(&rows, 0);
        status = heed_dataset_collate(data, first, batch, &rows, error);
        spec->rows = heed_larger(spec->rows, rows.count[HEED_EXTENT_ROWS]);
        spec->source_rows = heed_larger(spec->source_rows, rows.count[HEED_EXTENT_SOURCE_ROWS]);
    }
    heed_batch_free(&rows);
    return status;
}

/* Sets the extents for batches of `batch` units. Pairs vary, so an eighth is added for epochs that
   were not examined. */
static heed_status extents(const heed_trainer *t, const heed_dataset *data, size_t batch,
                           heed_program_spec *spec, heed_error *error)
{
    spec->rows = spec->source_rows = 0;
    if (data->pairs) {
        HEED_TRY(widest_pairs(data, batch, spec, error));
        spec->rows += spec->rows / 8;
        spec->source_rows += spec->source_rows / 8;
        spec->sequences = (int64_t)batch;
    } else {
        size_t rows = heed_dataset_units(data) < batch ? heed_dataset_units(data) : batch;
        spec->rows = (int64_t)(rows * data->options.length);
        spec->sequences = spec->rows; /* a text may have only one token */
    }
    spec->gathered = most_gathered(t, spec->rows);
    return HEED_OK;
}

/* Computes the bytes of the larger of the two programs at this batch size. */
static heed_status bytes_at(heed_trainer *t, size_t batch, size_t *bytes, heed_error *error)
{
    size_t training = 0, evaluation = 0;
    HEED_TRY(extents(t, t->data, batch, &t->spec, error));
    HEED_TRY(heed_engine_bytes(t->engine, &t->spec, &training, error));
    if (t->valid != NULL) {
        HEED_TRY(extents(t, t->valid, batch, &t->eval_spec, error));
        HEED_TRY(heed_engine_bytes(t->engine, &t->eval_spec, &evaluation, error));
    }
    *bytes = training > evaluation ? training : evaluation;
    return HEED_OK;
}

static heed_status too_large(heed_trainer *t, size_t wanted, heed_error *error)
{
    const double giga = 1e9;
    int64_t batch = t->options.batch_size;
    size_t bytes = t->activation_bytes, beside = wanted - bytes;
    while (batch > 1 && beside + bytes > t->free_bytes) {
        batch /= 2;
        HEED_TRY(bytes_at(t, (size_t)batch, &bytes, error));
    }
    if (beside + bytes > t->free_bytes)
        return heed_fail(
            error, HEED_E_NOMEM,
            "the model does not fit: %.2f GB of gradients and optimizer state and %.2f GB for a "
            "batch of one, %.2f GB are "
            "free; a smaller model, --optimizer sgd or --gradient-checkpointing needs less",
            (double)beside / giga, (double)bytes / giga, (double)t->free_bytes / giga);
    int64_t runs = (t->options.batch_size * t->options.gradient_accumulation_steps + batch - 1) /
                   batch;
    return heed_fail(error, HEED_E_NOMEM,
                     "a batch of %lld needs %.2f GB, %.2f GB are free; --batch-size %lld "
                     "--gradient-accumulation-steps %lld fits with "
                     "the same updates, --gradient-checkpointing needs less too",
                     (long long)t->options.batch_size, (double)wanted / giga,
                     (double)t->free_bytes / giga, (long long)batch, (long long)runs);
}

heed_status heed_trainer_measure(heed_trainer *t, heed_error *error)
{
    size_t elements = heed_model_element_count(t->model);
    heed_optimizer_options rule;
    HEED_TRY(heed_trainer_rule(t, &rule, error));
    /* bytes of gradients and state; the weights are allocated by now */
    size_t beside = elements * sizeof(float) * (size_t)(1 + heed_optimizer_slots(&rule));
    t->parameter_bytes = beside + elements * sizeof(float) + heed_model_copy_bytes(t->model);
    HEED_TRY(bytes_at(t, (size_t)t->options.batch_size, &t->activation_bytes, error));
    t->free_bytes = heed_memory_available();
    if (t->free_bytes == SIZE_MAX) t->free_bytes = 0; /* unknown */
    if (t->free_bytes > 0 && beside + t->activation_bytes > t->free_bytes)
        return too_large(t, beside + t->activation_bytes, error);
    return HEED_OK;
}
