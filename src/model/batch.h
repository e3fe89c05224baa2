/* batch.h: what a program reads in one run, as columns with names. Whoever runs a model (forward,
   sessions, training, benchmarks) only makes a batch; feed.h fills the program's inputs from it.
   program.def lists the names.

   A column is (rows, columns) in i32 or f32. Example: two sequences of 3 and 2 tokens, of which the
   last one of each has a label:

       count[ROWS] = 5, count[SEQUENCES] = 2, count[GATHERED] = 2

       ids         (5)    7  9  4  7  5
       sequences   (2,8)  {0, 3, 0, 3, ...}  {3, 2, 3, 2, ...}
       rows        (2)    2  4
       labels      (2)    8  3

   Columns that follow from others, such as positions, may be left out. */
#ifndef HEED_MODEL_BATCH_H
#define HEED_MODEL_BATCH_H

#include "base/error.h"
#include "model/head/head.h"
#include "model/program.h"

typedef struct heed_column {
    char *name;
    heed_dtype dtype;      /* HEED_I32 or HEED_F32 */
    int64_t rows, columns; /* columns 0: one value a row */
    void *data;
    size_t capacity; /* values */
} heed_column;

/* Zero-initialize it; free it with heed_batch_free. */
typedef struct heed_batch {
    /* live rows of each extent; heed_batch_sequence and heed_batch_label count them */
    int64_t count[HEED_MAX_EXTENTS];
    heed_column *columns;
    size_t n_columns, columns_capacity;
    /* What each term of the loss is divided by, in the order of heed_engine_loss_terms: its labels,
       or those of all batches of an update. A term with 0 is left out of the loss. */
    int64_t term_counts[HEED_MAX_LOSS_TERMS];
    /* sample id of the first sequence; dropout draws by sample ids */
    int32_t first_sample;
} heed_batch;

void heed_batch_free(heed_batch *batch);
/* Empties the batch and keeps its memory. */
void heed_batch_clear(heed_batch *batch, int32_t first_sample);

/* Append `rows` rows of zeros to the column of this name, and point *values at them until more are
   appended. A column without rows is as good as none. Errors: HEED_E_NOMEM; HEED_E_ARG if the
   column has another type or another number of columns. */
heed_status heed_batch_ints(heed_batch *batch, const char *name, int64_t rows, int64_t columns,
                            int32_t **values, heed_error *error);
heed_status heed_batch_floats(heed_batch *batch, const char *name, int64_t rows, int64_t columns,
                              float **values, heed_error *error);
/* Returns a column with rows; NULL if there is none of this name. */
const heed_column *heed_batch_column(const heed_batch *batch, const char *name);
/* Returns the values of a column of integers; NULL if there is none. */
const int32_t *heed_batch_read(const heed_batch *batch, const char *name);

/* What heed_batch_sequence has appended. */
typedef struct heed_batch_rows {
    int64_t first;   /* the first row of the sequence */
    int32_t *ids;    /* (rows), zeros */
    int32_t *fields; /* (8) heed_sequence_field: the rows attend to each other */
} heed_batch_rows;

/* Appends a sequence of `rows` tokens to what a stack reads. The pointers hold until more is
   appended. Errors: HEED_E_NOMEM. */
heed_status heed_batch_sequence(heed_batch *batch, heed_input_stack stack, int64_t rows,
                                heed_batch_rows *appended, heed_error *error);
/* Lets row `row` of the main stack predict `label`; the head sees no rows without a label. Errors:
   HEED_E_NOMEM. */
heed_status heed_batch_label(heed_batch *batch, int64_t row, int32_t label, heed_error *error);
/* Writes how many labels each term of the loss has: those that are not HEED_IGNORE, all numbers,
   and for a term without labels the rows of the main stack. Returns the number of labels. */
int64_t heed_batch_count_labels(const heed_batch *batch, const heed_loss_terms *terms,
                                int64_t counts[HEED_MAX_LOSS_TERMS]);
/* Returns the tokens that the model reads: the rows of all stacks. */
int64_t heed_batch_tokens(const heed_batch *batch);

#endif
