#include "train/batch.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void inputs_free(heed_batch_inputs *inputs)
{
    free(inputs->ids);
    free(inputs->positions);
    free(inputs->samples);
    free(inputs->sequences);
}

void heed_batch_free(heed_batch *batch)
{
    inputs_free(&batch->inputs);
    inputs_free(&batch->source);
    free(batch->gathered);
    free(batch->labels);
    free(batch->cross);
    free(batch->types);
    *batch = (heed_batch){0};
}

void heed_batch_clear(heed_batch *batch, int32_t first_sample)
{
    batch->inputs.rows = batch->inputs.sequences_count = 0;
    batch->source.rows = batch->source.sequences_count = 0;
    batch->labels_count = 0;
    batch->first_sample = first_sample;
}

/* Grows several arrays of i32 that share one capacity; widths[i] is the number of i32 per element
   of array i. */
static heed_status grow_together(int32_t **const *arrays, const size_t *widths, int count,
                                 size_t *capacity, size_t wanted, heed_error *error)
{
    size_t reached = *capacity;
    for (int i = 0; i < count; i++) {
        size_t own = *capacity;
        if (!heed_grow(arrays[i], &own, wanted, widths[i] * sizeof(int32_t)))
            return heed_fail_memory(error, wanted * widths[i] * sizeof(int32_t), "a batch");
        reached = own;
    }
    *capacity = reached;
    return HEED_OK;
}

heed_status heed_batch_sequence(heed_batch *batch, heed_batch_inputs *inputs, size_t count,
                                int32_t **ids, heed_error *error)
{
    int32_t **const row_arrays[] = {&inputs->ids, &inputs->positions, &inputs->samples};
    int32_t **const table[] = {&inputs->sequences};
    size_t first = inputs->rows, sequence = inputs->sequences_count;
    HEED_TRY(grow_together(row_arrays, (const size_t[]){1, 1, 2}, 3, &inputs->rows_capacity,
                           first + count, error));
    HEED_TRY(grow_together(table, (const size_t[]){HEED_SEQUENCE_FIELDS}, 1,
                           &inputs->sequences_capacity, sequence + 1, error));
    int32_t sample = batch->first_sample + (int32_t)sequence;
    int32_t *row = inputs->sequences + sequence * HEED_SEQUENCE_FIELDS;
    memset(row, 0, HEED_SEQUENCE_FIELDS * sizeof *row);
    row[HEED_SEQUENCE_QUERY_START] = row[HEED_SEQUENCE_KEY_START] = (int32_t)first;
    row[HEED_SEQUENCE_QUERY_LENGTH] = row[HEED_SEQUENCE_KEY_LENGTH] = (int32_t)count;
    row[HEED_SEQUENCE_SAMPLE] = sample;
    for (size_t i = 0; i < count; i++) {
        inputs->ids[first + i] = 0;
        inputs->positions[first + i] = (int32_t)i;
        inputs->samples[2 * (first + i)] = sample;
        inputs->samples[2 * (first + i) + 1] = (int32_t)i;
    }
    inputs->rows += count;
    inputs->sequences_count++;
    *ids = inputs->ids + first;
    return HEED_OK;
}

heed_status heed_batch_label(heed_batch *batch, size_t row, int32_t label, heed_error *error)
{
    int32_t **const arrays[] = {&batch->gathered, &batch->labels};
    HEED_TRY(grow_together(arrays, (const size_t[]){1, 1}, 2, &batch->labels_capacity,
                           batch->labels_count + 1, error));
    batch->gathered[batch->labels_count] = (int32_t)row;
    batch->labels[batch->labels_count++] = label;
    return HEED_OK;
}

size_t heed_batch_tokens(const heed_batch *batch)
{
    return batch->inputs.rows + batch->source.rows;
}

void heed_batch_extents(const heed_batch *batch, heed_program_spec *spec)
{
    spec->rows = (int64_t)batch->inputs.rows;
    spec->source_rows = (int64_t)batch->source.rows;
    spec->sequences = (int64_t)batch->inputs.sequences_count;
    spec->gathered = (int64_t)batch->labels_count;
}

/* Fills the sequence table of cross-attention: queries are rows of the decoder, keys rows of the
   encoder. */
static heed_status fill_cross(heed_batch *batch, heed_error *error)
{
    int32_t **const arrays[] = {&batch->cross};
    size_t n = batch->inputs.sequences_count;
    HEED_TRY(grow_together(arrays, (const size_t[]){HEED_SEQUENCE_FIELDS}, 1,
                           &batch->cross_capacity, n, error));
    memcpy(batch->cross, batch->inputs.sequences, n * HEED_SEQUENCE_FIELDS * sizeof(int32_t));
    for (size_t i = 0; i < n; i++) {
        const int32_t *source = batch->source.sequences + i * HEED_SEQUENCE_FIELDS;
        batch->cross[i * HEED_SEQUENCE_FIELDS + HEED_SEQUENCE_KEY_START] =
            source[HEED_SEQUENCE_KEY_START];
        batch->cross[i * HEED_SEQUENCE_FIELDS + HEED_SEQUENCE_KEY_LENGTH] =
            source[HEED_SEQUENCE_KEY_LENGTH];
    }
    return HEED_OK;
}

/* Copies values into an input, if the program has it. */
static void feed(heed_engine *engine, const char *prefix, const char *name, const int32_t *values,
                 size_t count)
{
    char full[64];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    void *input = heed_engine_input(engine, full);
    if (input != NULL && count > 0) memcpy(input, values, count * sizeof *values);
}

/* Fills the rotary frequencies, if they depend on the length of a sequence. */
static void feed_frequencies(heed_engine *engine, const char *prefix,
                             const heed_batch_inputs *inputs)
{
    char full[64];
    snprintf(full, sizeof full, "%sfrequencies", prefix);
    float *rows = heed_engine_input(engine, full);
    const heed_model *model = heed_engine_model(engine);
    for (size_t i = 0; rows != NULL && i < inputs->sequences_count; i++) {
        int64_t length = inputs->sequences[i * HEED_SEQUENCE_FIELDS + HEED_SEQUENCE_QUERY_LENGTH];
        heed_model_rotary_fill(model, *prefix != '\0', length, length, rows);
        rows += length * heed_model_rotary_pairs(model, *prefix != '\0');
    }
}

static void feed_inputs(heed_engine *engine, const char *prefix, const heed_batch_inputs *inputs)
{
    feed_frequencies(engine, prefix, inputs);
    feed(engine, prefix, "ids", inputs->ids, inputs->rows);
    feed(engine, prefix, "positions", inputs->positions, inputs->rows);
    feed(engine, prefix, "samples", inputs->samples, 2 * inputs->rows);
    feed(engine, prefix, "sequences", inputs->sequences,
         HEED_SEQUENCE_FIELDS * inputs->sequences_count);
}

heed_status heed_batch_feed(heed_batch *batch, heed_engine *engine, heed_runtime *runtime,
                            heed_error *error)
{
    feed_inputs(engine, "", &batch->inputs);
    if (batch->source.rows > 0) {
        HEED_TRY(fill_cross(batch, error));
        feed_inputs(engine, "source_", &batch->source);
        feed(engine, "", "cross_sequences", batch->cross,
             HEED_SEQUENCE_FIELDS * batch->inputs.sequences_count);
    }
    int32_t **const types[] = {&batch->types};
    HEED_TRY(grow_together(types, (const size_t[]){1}, 1, &batch->types_capacity,
                           batch->inputs.rows, error));
    feed(engine, "", "types", batch->types, batch->inputs.rows);
    float *counted = heed_engine_input(engine, "counted");
    for (size_t i = 0; counted != NULL && i < batch->inputs.rows; i++) counted[i] = 1;
    feed(engine, "", "rows", batch->gathered, batch->labels_count);
    feed(engine, "", "labels", batch->labels, batch->labels_count);
    runtime->count[HEED_EXTENT_ROWS] = (int64_t)batch->inputs.rows;
    runtime->count[HEED_EXTENT_SOURCE_ROWS] = (int64_t)batch->source.rows;
    runtime->count[HEED_EXTENT_SEQUENCES] = (int64_t)batch->inputs.sequences_count;
    runtime->count[HEED_EXTENT_GATHERED] = (int64_t)batch->labels_count;
    return HEED_OK;
}
