/* backend.h: what runs a plan and keeps the weights. A backend is a pool of threads and tables: its
   kernels, its packing of weights, its updates of parameters. The reference backend has no table:
   ops without a kernel run by their reference, weights are rows, and updates are plain loops. */
#ifndef HEED_GRAPH_BACKEND_H
#define HEED_GRAPH_BACKEND_H

#include "base/pool.h"
#include "graph/op.h"
#include "graph/pack.h"
#include "graph/update.h"

typedef struct heed_backend {
    const char *name;
    heed_isa isa;
    heed_pool *pool; /* borrowed; NULL runs on the calling thread alone */
    const heed_kernel *const *kernels;
    size_t n_kernels;
    const heed_pack_table *packing;   /* NULL: weights are rows, and no kernel takes panels */
    const heed_update_table *updates; /* NULL: heed_update_generic */
    /* borrowed: observes the plans that are made and run here (observer.h); NULL: nobody does */
    const struct heed_observer *observer;
} heed_backend;

/* The first kernel of the backend's table that takes these operands (maximal shapes); NULL: use the
   reference. */
const heed_kernel *heed_backend_find(const heed_backend *backend, heed_op_id op,
                                     const heed_kernel_args *args);

/* Rows [*begin, *end) of part `part` of `parts`; kernels whose `parts` is NULL cut their rows this
   way, and steps that are cut alike run one after another on each part without a barrier. */
static inline void heed_part_range(int64_t count, int part, int parts, int64_t *begin, int64_t *end)
{
    *begin = count * part / parts;
    *end = count * (part + 1) / parts;
}

#endif
