/* logits_internal.h: the two tables that the chain of processors is made of, the first before the
   second. */
#ifndef HEED_GENERATE_LOGITS_INTERNAL_H
#define HEED_GENERATE_LOGITS_INTERNAL_H

#include "generate/logits.h"
#include <float.h>
#include <math.h>

extern const heed_logits_processor heed_logits_penalties[], heed_logits_cuts[];
extern const size_t heed_logits_penalty_count, heed_logits_cut_count;

/* Returns `value`, which a setting makes of `score`, within the range of float: a finite score
   stays finite. A score of -infinity is forbidden and stays so; NaN and +infinity come from the
   model and stay, so that an error can name the model. */
static inline float heed_logits_changed(float score, double value)
{
    if (!isfinite(score) || isnan(value)) return score;
    if (value > (double)FLT_MAX) return FLT_MAX;
    return value < -(double)FLT_MAX ? -FLT_MAX : (float)value;
}

/* A divisor or factor as transformers uses it, rounded to float, unless float has no such value. */
static inline double heed_logits_factor(double value)
{
    return value >= (double)FLT_MIN && value <= (double)FLT_MAX ? (double)(float)value : value;
}

#endif
