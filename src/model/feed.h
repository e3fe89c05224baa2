/* feed.h: fills the inputs of a program from a batch. */
#ifndef HEED_MODEL_FEED_H
#define HEED_MODEL_FEED_H

#include "graph/plan.h"
#include "model/batch.h"
#include "model/model.h"

/* Fills every input that a plan reads, and that has rows in this batch, from the column of its
   name. What the batch does not have is filled as program.def says. Columns of other names are
   ignored, also if the name of an input is misspelled. Errors: HEED_E_ARG names an input that
   nothing fills, a column that does not have the type, columns and rows of its input, a label that
   is no class of its head, and an input with more rows than the plan was made for. */
heed_status heed_program_feed(const heed_model *model, const heed_plan *plan,
                              heed_workspace *workspace, const heed_batch *batch,
                              heed_error *error);
/* Returns the factor of tokens that are no masks, if `masks` of `seen` tokens of their sequence are
   masks: their sum is then what it is at the share of masks in ESM's training. */
float heed_feed_token_scale(int64_t masks, int64_t seen);

#endif
