/* batch.h: what one run of a training or evaluation program reads: ragged rows, their sequence
   table, and labels. */
#ifndef HEED_TRAIN_BATCH_H
#define HEED_TRAIN_BATCH_H

#include "model/engine.h"

/* The rows that one stack of the model reads, and the sequences that they form. */
typedef struct heed_batch_inputs {
    int32_t *ids, *positions, *samples; /* (N), (N), (N,2) */
    int32_t *sequences;                 /* (B,8), self-attention */
    size_t rows, rows_capacity, sequences_count, sequences_capacity;
} heed_batch_inputs;

/* Zero-initialize; reuse freely. Rows without a label are not among the gathered. */
typedef struct heed_batch {
    /* `source` is what the encoder of an encoder-decoder reads; its sequence i belongs to sequence
       i of `inputs` */
    heed_batch_inputs inputs, source;
    int32_t *gathered, *labels; /* (R) rows of `inputs` and what they shall predict */
    size_t labels_count, labels_capacity;
    int32_t *cross, *types; /* (B,8), (N): filled by heed_batch_feed */
    size_t cross_capacity, types_capacity;
    /* sample id of the first sequence: dropout counts by it */
    int32_t first_sample;
} heed_batch;

void heed_batch_free(heed_batch *batch);
/* Empties it; memory is kept. */
void heed_batch_clear(heed_batch *batch, int32_t first_sample);
/* Adds a sequence of `count` rows with zero ids to the batch's inputs or source, and points *ids at
   them (until the next call); positions count from 0. */
heed_status heed_batch_sequence(heed_batch *batch, heed_batch_inputs *inputs, size_t count,
                                int32_t **ids, heed_error *error);
/* Row `row` of `inputs` shall predict `label`. */
heed_status heed_batch_label(heed_batch *batch, size_t row, int32_t label, heed_error *error);
/* Tokens that the model reads: rows of inputs and source. */
size_t heed_batch_tokens(const heed_batch *batch);

/* Extents that a program needs to run this batch. */
void heed_batch_extents(const heed_batch *batch, heed_program_spec *spec);
/* Fills the current program's inputs and the run-time counts. */
heed_status heed_batch_feed(heed_batch *batch, heed_engine *engine, heed_runtime *runtime,
                            heed_error *error);

#endif
