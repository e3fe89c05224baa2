/* optimizer.h: gradient descent over a list of f32 tensors, and the global gradient norm. The
   backend has the update rules (graph/update.h), which follow torch.optim operation by operation.
   Sums are cut into spans of a fixed number of elements, so bits depend on sizes only. A matrix
   that has a bf16 working copy is updated by runs of rows; each run is rounded into the copy while
   it is in the cache. */
#ifndef HEED_TRAIN_OPTIMIZER_H
#define HEED_TRAIN_OPTIMIZER_H

#include "graph/backend.h"
#include "io/safetensors.h"
#include "model/model.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A trained tensor. All pointers are borrowed as long as the optimizer lives. */
typedef struct heed_optimizer_tensor {
    const char *name;
    int rank;
    const int64_t *shape;
    float *value, *gradient;
    bool decay; /* weight decay applies to it */
    /* bf16 working copies of matrices in it, in the order of their elements, without overlap; every
       update writes them with the backend's packing */
    const heed_parameter_copy *copies;
    size_t copy_count;
} heed_optimizer_tensor;

typedef struct heed_optimizer heed_optimizer;

/* Returns the defaults of a rule: betas 0.9 and 0.999, eps 1e-8, no decay, no momentum. */
heed_optimizer_options heed_optimizer_default(heed_optimizer_kind kind);
/* Errors: HEED_E_ARG lists the known names. */
heed_status heed_optimizer_by_name(heed_optimizer_kind *kind, const char *name, heed_error *error);
const char *heed_optimizer_name(heed_optimizer_kind kind);
/* Returns how many floats of state each trained element needs. */
int heed_optimizer_slots(const heed_optimizer_options *options);

/* Makes an optimizer whose state is zero. The backend, which is borrowed, determines threads and
   instructions; the results do not depend on them. If a tensor has copies, the backend must have
   packing. Errors: HEED_E_ARG for numbers out of range, HEED_E_NOMEM. */
heed_status heed_optimizer_new(heed_optimizer **optimizer, const heed_optimizer_options *options,
                               const heed_optimizer_tensor *tensors, size_t count,
                               const heed_backend *backend, heed_error *error);
void heed_optimizer_free(heed_optimizer *optimizer); /* NULL is fine */

/* Returns the 2-norm of all gradients together, summed in double. It is not finite if a gradient is
   not. */
double heed_optimizer_norm(const heed_optimizer *optimizer);
/* Returns the factor by which gradients are multiplied so that their norm is at most `limit`:
   min(1, limit / (norm + 1e-6)), or 1 if limit is 0. Source: torch.nn.utils.clip_grad_norm_. */
double heed_clip_factor(double norm, double limit);
/* Makes one update at learning rate `rate` with gradients times `factor`, and zeroes the
   gradients. */
void heed_optimizer_step(heed_optimizer *optimizer, double rate, double factor);
int64_t heed_optimizer_steps(const heed_optimizer *optimizer); /* number of updates so far */

/* Writes the state as F32 tensors "<slot>.<tensor name>" in the shape of the tensor; a rule without
   state writes none. */
heed_status heed_optimizer_save(const heed_optimizer *optimizer, const char *path,
                                heed_error *error);
/* Reads what heed_optimizer_save wrote; the next update has number `steps` + 1. Errors:
   HEED_E_FORMAT names a tensor that is missing, has another shape or is too many. */
heed_status heed_optimizer_load(heed_optimizer *optimizer, const char *path, int64_t steps,
                                heed_error *error);

#endif
