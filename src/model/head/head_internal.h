/* head_internal.h: what the builders of heads share. */
#ifndef HEED_MODEL_HEAD_HEAD_INTERNAL_H
#define HEED_MODEL_HEAD_HEAD_INTERNAL_H

#include "model/build.h"

/* ---- losses (scoring.c) ---- */

/* Returns whether the program computes a loss. */
bool heed_head_is_scored(const heed_build *b);
/* Adds a term of the loss, given its unscaled sum (1). Its place among the terms is its place in
   loss_scale. */
void heed_head_add_term(heed_build *b, heed_value sum);
/* Adds the sum of the losses nll (rows) as a term, and makes nll an output unless `output` is
   NULL. */
void heed_head_add_losses(heed_build *b, heed_value nll, const char *output);
/* Declares an input with one label per row of x. */
heed_value heed_head_labels(heed_build *b, heed_value x, const char *column);
/* Adds the cross-entropy of logits (rows,C) and the labels in a column as a term. */
void heed_head_score(heed_build *b, heed_value logits, const char *column, float smoothing);
/* Adds the cross-entropy of the logits of gathered rows (R,C) as a term; the loss of each row is
   the output "nll". */
void heed_head_score_tokens(heed_build *b, heed_value logits);
/* Returns scores (rows,1) as a grid (B,T), spec->queries wide, so that each of its lines has one
   softmax over its columns. The inputs "places" and "grid_bias" say where each score stands. */
typedef struct heed_head_grid {
    heed_value places, bias;
} heed_head_grid;
heed_head_grid heed_head_declare_grid(heed_build *b, heed_extent extent);
heed_value heed_head_place(heed_build *b, heed_value scores, const heed_head_grid *grid);

/* ---- rows (pooled.c) ---- */

/* Returns the rows that the head sees: those that are scored or wanted. */
heed_value heed_head_gather(heed_build *b, heed_value x);
/* Returns the row that represents each sequence, after the pooler if there is one. */
heed_value heed_head_pool(heed_build *b, heed_value x);
/* Returns the logits of pooled rows (B,D): dropout, then the linear layer of this role. */
heed_value heed_head_classify(heed_build *b, heed_value pooled, heed_role weight);

#endif
