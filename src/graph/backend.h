/* backend.h: what runs a plan and keeps the weights. A backend is a pool of threads and tables: its
   kernels, its packing of weights, its updates of parameters. The reference backend has no table:
   ops without a kernel run by their reference, weights are rows, and updates are plain loops. */
#ifndef HEED_GRAPH_BACKEND_H
#define HEED_GRAPH_BACKEND_H

#include "base/pool.h"
#include "graph/op.h"
#include "graph/pack.h"
#include "graph/update.h"

/* A matmul whose fusion is in question. */
typedef struct heed_matmul_descriptor {
    int64_t max_rows;
    heed_dtype weight_dtype;
    heed_layout weight_layout;
} heed_matmul_descriptor;

/* What pays on a backend. Passes and regions know what is possible, and ask here whether it pays;
   they hold no row counts and no block sizes of their own. */
typedef struct heed_backend_rules {
    /* a norm that this matmul alone reads: shall it become the matmul's prologue? */
    bool (*fuses_norm)(const heed_matmul_descriptor *);
    /* a matmul of the same rows that makes the gate of this one: shall both become one step? */
    bool (*fuses_gate)(const heed_matmul_descriptor *);
    /* a tile producer with so many columns, cut at multiples of tile_columns: shall its consumers
       run on its tiles rather than after a barrier? */
    bool (*fuses_tiles)(int64_t tile_columns, int64_t columns);
    /* rows of a part of a step whose kernel has no `parts`; such kernels compute each row by
       itself, so that no bit depends on it */
    int64_t rows_per_part;
} heed_backend_rules;

typedef struct heed_backend {
    const char *name;
    heed_isa isa;
    heed_pool *pool; /* borrowed; NULL runs on the calling thread alone */
    const heed_kernel *const *kernels;
    size_t n_kernels;
    const heed_pack_table *packing;   /* NULL: weights are rows, and no kernel takes panels */
    const heed_update_table *updates; /* NULL: heed_update_generic */
    const heed_backend_rules *rules;  /* NULL: those of the reference backend */
    /* borrowed: observes the plans that are made and run here (observer.h); NULL: nobody does */
    const struct heed_observer *observer;
} heed_backend;

/* The first kernel of the backend's table that takes these operands (maximal shapes); NULL: use the
   reference. */
const heed_kernel *heed_backend_find(const heed_backend *backend, heed_op_id op,
                                     const heed_kernel_args *args);

const heed_backend_rules *heed_backend_rules_of(const heed_backend *backend);

/* Rows [*begin, *end) of part `part` of `parts`. Steps whose kernel has no `parts` are divided this
   way, so that steps over equally many rows have the same parts, and one thread can run them one
   after another on each part without a barrier. */
static inline void heed_part_range(int64_t count, int part, int parts, int64_t *begin, int64_t *end)
{
    *begin = count * part / parts;
    *end = count * (part + 1) / parts;
}

#endif
