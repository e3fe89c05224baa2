/* norm.h: mean and reciprocal standard deviation (rstd) of a row, shared by the norms and by
   matmuls that normalize their rows. */
#ifndef HEED_OP_NORM_H
#define HEED_OP_NORM_H

#include "op/reference.h"

/* A normalized element is (x - mean) * rstd. The RMS norm has mean 0. */
typedef struct {
    real mean, rstd;
} REAL(heed_row_norm);

static inline REAL(heed_row_norm)
    REAL(heed_norm_of_row)(heed_fused_norm kind, const real *x, int64_t width, float eps)
{
    REAL(heed_row_norm) norm = {0, 1};
    real sum = 0, square = 0;
    for (int64_t j = 0; j < width && kind == HEED_FUSED_NORM_LAYER; j++) sum += x[j];
    norm.mean = sum / (real)width;
    for (int64_t j = 0; j < width; j++) square += (x[j] - norm.mean) * (x[j] - norm.mean);
    norm.rstd = 1 / R(sqrt)(square / (real)width + (real)eps);
    return norm;
}

/* What a normalized element is multiplied by: gain + offset; without a gain 1, whatever the offset
   is. */
static inline real REAL(heed_gain_at)(const heed_operand *gain, float offset, int64_t j)
{
    return gain ? *REAL(row)(gain, j) + (real)offset : (real)1;
}

#endif
