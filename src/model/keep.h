/* keep.h: what a model's layers keep of a sequence from one step to the next. A sublayer declares
   it in its record; sessions make their caches by it, programs read and write it as states. */
#ifndef HEED_MODEL_KEEP_H
#define HEED_MODEL_KEEP_H

#include "model/model.h"

/* The sequence that it is kept of. */
typedef enum heed_keep_side {
    HEED_KEEP_SELF,   /* the sequence itself: written and read by DECODE */
    HEED_KEEP_SOURCE, /* its source: written by ENCODE, read by DECODE */
    HEED_KEEP_SIDES
} heed_keep_side;

/* The runs of columns in a row; a row of type i8 has a scale for each. */
typedef struct heed_keep_width {
    int64_t runs, columns; /* columns of one run */
} heed_keep_width;

/* An array that a sublayer keeps. A list of them ends with a NULL name. */
typedef struct heed_keeping {
    const char *name; /* "key"; the state of a program is "cache.<layer>.<slot>.key" */
    uint8_t side;     /* heed_keep_side */
    bool per_page;    /* a row for each page of 64 positions; else for each position */
    bool exact;       /* always f32; else of the type that the model's caches have */
    heed_keep_width (*width)(const heed_config *config);
} heed_keeping;

/* One array of one layer. */
typedef struct heed_kept {
    const heed_keeping *what;
    int64_t layer; /* counted as layers run */
    uint8_t slot;  /* heed_slot_id */
    const char *slot_name;
    heed_dtype dtype;
    heed_keep_width width;
    int64_t columns; /* elements of a row */
} heed_kept;

/* Returns the arrays of a side, by layer, slot and place in the sublayer's list; *count is their
   number. Borrowed from the model. */
const heed_kept *heed_model_keeps(const heed_model *model, heed_keep_side side, size_t *count);
/* Widens a row of an array to floats, of which there are width.runs * width.columns. */
void heed_kept_widen(const heed_kept *kept, const void *row, float *values);

#endif
