/* logits_internal.h: declares the two tables from which the chain of processors is made. Penalties
   come before cuts. */
#ifndef HEED_GENERATE_LOGITS_INTERNAL_H
#define HEED_GENERATE_LOGITS_INTERNAL_H

#include "generate/logits.h"
#include <float.h>
#include <math.h>

extern const heed_logits_processor heed_logits_penalties[], heed_logits_cuts[];
extern const size_t heed_logits_penalty_count, heed_logits_cut_count;

/* Returns the new score `value` that a processor computed from `score`, limited to the range of
   float, so that a finite score stays finite. A score of -infinity is forbidden and stays so. NaN
   and +infinity come from the model and stay, so that an error can name the model. */
static inline float heed_logits_changed(float score, double value)
{
    if (!isfinite(score) || isnan(value)) return score;
    if (value > (double)FLT_MAX) return FLT_MAX;
    return value < -(double)FLT_MAX ? -FLT_MAX : (float)value;
}

/* Returns a divisor or factor rounded to float, as transformers uses it, unless it is outside the
   range of float. */
static inline double heed_logits_factor(double value)
{
    return value >= (double)FLT_MIN && value <= (double)FLT_MAX ? (double)(float)value : value;
}

#endif
