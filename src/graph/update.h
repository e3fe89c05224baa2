/* update.h: how a backend updates parameters: the update rules, their options, and a table of the
   loops over elements. The loops consist of additions, multiplications, divisions and square roots,
   none of them contracted, so all tables give equal bits. */
#ifndef HEED_GRAPH_UPDATE_H
#define HEED_GRAPH_UPDATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum heed_optimizer_kind {
    HEED_OPTIMIZER_ADAMW,
    HEED_OPTIMIZER_ADAM,
    HEED_OPTIMIZER_SGD,
    HEED_OPTIMIZER_COUNT
} heed_optimizer_kind;

/* Options of a rule, named as in torch.optim. A rule ignores the options of the others. */
typedef struct heed_optimizer_options {
    heed_optimizer_kind kind;
    double beta1, beta2, eps; /* adamw, adam */
    /* for the tensors that decay: adamw applies it decoupled from the gradient, adam and sgd add
       an L2 term to the gradient */
    double weight_decay;
    double momentum, dampening; /* sgd */
    bool nesterov;              /* sgd */
    bool amsgrad;               /* adamw, adam: divide by the largest second moment so far */
} heed_optimizer_options;

/* The most floats of state that a rule keeps for an element. */
enum { HEED_OPTIMIZER_MAX_SLOTS = 3 };

/* The numbers of one update, which all elements share. */
typedef struct heed_update {
    const heed_optimizer_options *options; /* borrowed */
    double rate;                           /* learning rate */
    float factor;                          /* every gradient is multiplied by it first */
    int64_t step;                          /* number of this update, from 1 */
} heed_update;

/* Updates n elements of a parameter (f32) from their gradients and zeroes the gradients. `decay` is
   the weight decay of the parameter. slot[i] holds n floats of the rule's i-th state, or is NULL if
   the options do not need it: exp_avg, exp_avg_sq and max_exp_avg_sq of adamw and adam,
   momentum_buffer of sgd. */
typedef void heed_update_rule(const heed_update *update, double decay, float *value,
                              float *gradient, float *const *slot, size_t n);

typedef struct heed_update_table {
    heed_update_rule *rule[HEED_OPTIMIZER_COUNT];
    /* Returns the sum of squares of x (n), summed in eight accumulators of doubles that are added
       up in order. */
    double (*square_sum)(const float *x, size_t n);
} heed_update_table;

/* Plain C. It serves every backend that has no table of its own. */
extern const heed_update_table heed_update_generic;

#endif
