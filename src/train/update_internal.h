/* update_internal.h: the inner loops of the optimizers, compiled once per instruction set. They
   consist of additions, multiplications, divisions and square roots, none contracted, so all
   instruction sets give equal bits. */
#ifndef HEED_TRAIN_UPDATE_INTERNAL_H
#define HEED_TRAIN_UPDATE_INTERNAL_H

#include "train/optimizer.h"

/* Numbers of one update, shared by all elements. */
typedef struct heed_update {
    const heed_optimizer_options *options;
    double rate;
    float factor; /* gradients are multiplied with this first */
    int64_t step; /* this update's number, from 1 */
} heed_update;

/* Updates n elements of one tensor and zeroes their gradients; decay is the tensor's weight decay,
   slot[i] the rule's i-th state. */
typedef void heed_update_rule(const heed_update *update, double decay, float *value,
                              float *gradient, float *const *slot, size_t n);

typedef struct heed_update_table {
    heed_update_rule *rule[HEED_OPTIMIZER_COUNT];
    /* in eight accumulators of doubles, joined in order */
    double (*square_sum)(const float *x, size_t n);
} heed_update_table;

extern const heed_update_table heed_update_generic, heed_update_avx2, heed_update_avx512;

#endif
