/* batch.h: what one run of a training or evaluation program reads: ragged rows, their sequence
   table, and labels. */
#ifndef HEED_TRAIN_BATCH_H
#define HEED_TRAIN_BATCH_H

#include "model/engine.h"

/* Rows of one side of a batch and the sequences that they form. */
typedef struct heed_batch_inputs {
    int32_t *ids, *positions, *samples; /* (N), (N), (N,2) */
    int32_t *sequences;                 /* (B,8), self-attention */
    size_t rows, rows_capacity, sequences_count, sequences_capacity;
} heed_batch_inputs;

/* Zero-initialize; reuse freely. Rows without a label are in `side`, but not among the gathered. */
typedef struct heed_batch {
    /* source: of an encoder-decoder, sequence i belonging to sequence i */
    heed_batch_inputs inputs, source;
    int32_t *gathered, *labels; /* (R) rows of `side` and what they shall predict */
    size_t labels_count, labels_capacity;
    int32_t *cross, *types; /* (B,8), (N): filled by heed_batch_feed */
    size_t cross_capacity, types_capacity;
    /* sample id of the first sequence: dropout counts by it */
    int32_t first_sample;
} heed_batch;

void heed_batch_free(heed_batch *batch);
/* Empties it; memory is kept. */
void heed_batch_clear(heed_batch *batch, int32_t first_sample);
/* Adds a sequence of `count` rows with zero ids to one side and points *ids at them (until the next
   call); positions count from 0. */
heed_status heed_batch_sequence(heed_batch *batch, heed_batch_inputs *side, size_t count,
                                int32_t **ids, heed_error *error);
/* Row `row` of `side` shall predict `label`. */
heed_status heed_batch_label(heed_batch *batch, size_t row, int32_t label, heed_error *error);
/* Tokens that the model reads: rows of both sides. */
size_t heed_batch_tokens(const heed_batch *batch);

/* Extents that a program needs to run this batch. */
void heed_batch_extents(const heed_batch *batch, heed_program_spec *spec);
/* Fills the current program's inputs and the run-time counts. */
heed_status heed_batch_feed(heed_batch *batch, heed_engine *engine, heed_runtime *runtime,
                            heed_error *error);

#endif
