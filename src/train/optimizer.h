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

/* One trained tensor; all pointers are borrowed for the optimizer's life. */
typedef struct heed_optimizer_tensor {
    const char *name;
    int rank;
    const int64_t *shape;
    float *value, *gradient;
    bool decay; /* weight decay applies */
    /* bf16 working copies of matrices in it, in order, none within another; every update writes
       them with the backend's packing; borrowed too */
    const heed_parameter_copy *copies;
    size_t copy_count;
} heed_optimizer_tensor;

typedef struct heed_optimizer heed_optimizer;

/* betas .9 and .999, eps 1e-8, no decay, no momentum. */
heed_optimizer_options heed_optimizer_default(heed_optimizer_kind kind);
/* HEED_E_ARG naming the known ones */
heed_status heed_optimizer_by_name(heed_optimizer_kind *kind, const char *name, heed_error *error);
const char *heed_optimizer_name(heed_optimizer_kind kind);
/* Floats of state that every trained element needs. */
int heed_optimizer_slots(const heed_optimizer_options *options);

/* State starts at zero. The backend (borrowed) says on which threads and with which instructions;
   bits do not depend on it. HEED_E_ARG for numbers out of range, HEED_E_NOMEM. */
heed_status heed_optimizer_new(heed_optimizer **optimizer, const heed_optimizer_options *options,
                               const heed_optimizer_tensor *tensors, size_t count,
                               const heed_backend *backend, heed_error *error);
void heed_optimizer_free(heed_optimizer *optimizer); /* NULL is fine */

/* The 2-norm of all gradients together, summed in double; not finite when a gradient is not. */
double heed_optimizer_norm(const heed_optimizer *optimizer);
/* What gradients are multiplied with so that their norm is at most `limit`: min(1, limit / (norm +
   1e-6)); 1 when limit is 0. Source: torch.nn.utils.clip_grad_norm_. */
double heed_clip_factor(double norm, double limit);
/* One update at learning rate `rate` with gradients times `factor`; gradients are zero
   afterwards. */
void heed_optimizer_step(heed_optimizer *optimizer, double rate, double factor);
int64_t heed_optimizer_steps(const heed_optimizer *optimizer); /* updates done */

/* State as F32 tensors "<slot>.<tensor name>" in the tensor's shape; count is 0 for a rule without
   state. */
heed_status heed_optimizer_save(const heed_optimizer *optimizer, const char *path,
                                heed_error *error);
/* Reads what save wrote and goes on after `steps` updates. HEED_E_FORMAT naming a tensor that is
   missing, of another shape or too many. */
heed_status heed_optimizer_load(heed_optimizer *optimizer, const char *path, int64_t steps,
                                heed_error *error);

#endif
