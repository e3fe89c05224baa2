/* batch.h: what one run of a training or evaluation program reads: ragged rows, their sequence
   table, and labels. */
#ifndef HEED_TRAIN_BATCH_H
#define HEED_TRAIN_BATCH_H

#include "model/engine.h"

/* The rows that one stack of the model reads, and the sequences that they form. */
typedef struct heed_batch_inputs {
    int32_t *ids, *positions, *samples; /* ids (N), positions (N), samples (N,2) */
    int32_t *sequences;                 /* (B,8), for self-attention */
    size_t rows, rows_capacity, sequences_count, sequences_capacity;
} heed_batch_inputs;

/* Zero-initialize it; it may be reused. Rows without a label are not among the gathered rows. */
typedef struct heed_batch {
    /* `source` is what the encoder of an encoder-decoder reads; its sequence i belongs to sequence
       i of `inputs` */
    heed_batch_inputs inputs, source;
    int32_t *gathered, *labels; /* (R): rows of `inputs`, and the id that each of them predicts */
    size_t labels_count, labels_capacity;
    int32_t *cross, *types; /* cross (B,8) and types (N), filled by heed_batch_feed */
    size_t cross_capacity, types_capacity;
    /* sample id of the first sequence; dropout draws by sample ids */
    int32_t first_sample;
} heed_batch;

void heed_batch_free(heed_batch *batch);
/* Empties the batch and keeps its memory. */
void heed_batch_clear(heed_batch *batch, int32_t first_sample);
/* Adds a sequence of `count` rows with zero ids to the batch's inputs or source, and points *ids at
   them until the next call. Positions count from 0. Errors: HEED_E_NOMEM. */
heed_status heed_batch_sequence(heed_batch *batch, heed_batch_inputs *inputs, size_t count,
                                int32_t **ids, heed_error *error);
/* Makes row `row` of `inputs` predict `label`. Errors: HEED_E_NOMEM. */
heed_status heed_batch_label(heed_batch *batch, size_t row, int32_t label, heed_error *error);
/* Returns the tokens that the model reads: the rows of inputs and source. */
size_t heed_batch_tokens(const heed_batch *batch);

/* Sets the extents that a program needs to run this batch. */
void heed_batch_extents(const heed_batch *batch, heed_program_spec *spec);
/* Fills the inputs of the engine's current program, and the live extents in `runtime`. Errors:
   HEED_E_NOMEM. */
heed_status heed_batch_feed(heed_batch *batch, heed_engine *engine, heed_runtime *runtime,
                            heed_error *error);

#endif
