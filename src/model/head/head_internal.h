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

/* ---- weights and rows (rows.c) ---- */

/* Rows of a list of roles: the dense layer and the norm of the pooler. */
/* clang-format off */
#define HEED_HEAD_POOLER_ROLES \
    HEED_USE_MATRIX(POOLER_WEIGHT, "head.pooler.weight", OUTPUT, OUTPUT, NORMAL, \
                    heed_head_has_pooler), \
    HEED_USE_VECTOR(POOLER_BIAS, "head.pooler.bias", OUTPUT, ZERO, heed_head_has_pooler_bias), \
    HEED_USE_VECTOR(POOLER_NORM_GAIN, "head.pooler.norm.gain", OUTPUT, ONE, \
                    heed_head_has_pooler_norm), \
    HEED_USE_VECTOR(POOLER_NORM_BIAS, "head.pooler.norm.bias", OUTPUT, ZERO, \
                    heed_head_has_pooler_norm_bias)
/* clang-format on */
bool heed_head_has_pooler(const heed_config *config, const heed_weight_place *place);
bool heed_head_has_pooler_bias(const heed_config *config, const heed_weight_place *place);
bool heed_head_has_pooler_norm(const heed_config *config, const heed_weight_place *place);
bool heed_head_has_pooler_norm_bias(const heed_config *config, const heed_weight_place *place);

/* Returns the rows that the head sees: those that are scored or wanted. */
heed_value heed_head_gather(heed_build *b, heed_value x);
/* Returns dense layer, activation and norm of rows x; x if the model has no weight in role
   `weight`. The roles of bias and norm follow it. */
heed_value heed_head_transform(heed_build *b, heed_value x, const heed_transform *transform,
                               heed_role weight);
/* Returns the mean of the rows of each sequence that are seen, (B,D). */
heed_value heed_head_mean(heed_build *b, heed_value x);
/* Returns the row that represents each sequence, after the pooler if there is one. */
heed_value heed_head_pool(heed_build *b, heed_value x);
/* Returns the rows x (N,D) after the pooler, if it is for every row, and dropout. */
heed_value heed_head_prepare_rows(heed_build *b, heed_value x);
/* Returns the logits of pooled rows (B,D): dropout, then the linear layer of this role. */
heed_value heed_head_classify(heed_build *b, heed_value pooled, heed_role weight);

#endif
